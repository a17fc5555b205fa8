// A tour of the API: from the registration of a user to the end of the account.
import { randomUUID } from "node:crypto";
import { ApiError, Refusal, answer, connect, outcome, patiently } from "./client.js";

const url = process.env.URL ?? "http://127.0.0.1:18080";
const username = `tour-${randomUUID()}`;
const password = "a good password";
const language = "en";

/** Makes a call that is to fail, and tells how. */
async function failure(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "no error";
  } catch (error) {
    if (error instanceof Refusal) {
      const wait = error.retryAfter === undefined ? "" : `\n  come back in ${error.retryAfter} s`;
      return `refused: ${error.message}${wait}`;
    }
    if (!(error instanceof ApiError)) throw error;
    const lines = [`${error.status} ${error.message}`];
    for (const fault of error.faults) lines.push(`  ${fault.loc.join(".")}: ${fault.msg} (${fault.type})`);
    if (error.retryAfter !== undefined) lines.push(`  come back in ${error.retryAfter} s`);
    return lines.join("\n");
  }
}

// Register and log in. Only these calls need no token.
const stranger = connect(url);
const login = (name: string, word: string) =>
  outcome(stranger.POST("/api/v1/authenticate_user", { body: { username: name, password: word, language } }));

const { user_id } = await outcome(stranger.POST("/api/v1/register_user", { body: { username, password, language } }));
console.log("wrong password:", await failure(login(username, "a wrong password")));
const { access_token, expires_in } = await login(username, password);
console.log("logged in for", expires_in, "s");

// All that follows is sent with the token. A server in mode strict needs it.
const client = connect(url, access_token!);
const listCharacters = (from: typeof client) =>
  answer(from.GET("/api/v1/list_characters/{user_id}", { params: { path: { user_id } } }));

console.log("without the token:", await failure(listCharacters(stranger)));
const characters = await listCharacters(client);
console.log("characters:", characters.character_name_list.join(", "));

// Default characters are read-only: duplicate one, and change the copy.
const character_id = characters.character_id_list[0]!;
const setPrompt = (character_id: string, prompt: string) =>
  answer(client.POST("/api/v1/update_character_prompt", { body: { user_id, character_id, prompt } }));
const getCharacter = (character_id: string) =>
  answer(client.GET("/api/v1/get_character_config/{user_id}/{character_id}", { params: { path: { user_id, character_id } } }));

console.log("read-only:", await failure(setPrompt(character_id, "You sing.")));
const copy = await answer(
  client.POST("/api/v1/duplicate_character", { body: { user_id, character_id, character_name: "My own" } }),
);
await setPrompt(copy.character_id, "You sing.");
const own = await getCharacter(copy.character_id);
console.log(`copy: ${own.character_name}, with the prompt: ${own.prompt}`);

// What mistakes look like. Ids in a path are escaped: this one has a slash.
console.log("unknown:", await failure(getCharacter("no/body")));
const wrong = { user_id, character_id: copy.character_id, tts_adapter: "elevenlabs", voice: 5, voice_speed: "fast" };
// @ts-expect-error: the compiler knows that a voice is no number.
console.log("faults:", await failure(answer(client.POST("/api/v1/update_character_tts", { body: wrong }))));

// Which provider keys does the character still need?
const missing = await answer(
  client.GET("/api/v1/get_missing_secrets/{user_id}/{character_id}", {
    params: { path: { user_id, character_id: copy.character_id } },
  }),
);
console.log("missing for the language model:", missing.llm_requirements.join(", "));

// Someone guesses passwords. A server has a bound, 10 tries a minute by default.
const guess = () => login(`nobody-${user_id}`, "a guess");
let guessed = "";
for (let tries = 0; tries < 20 && !guessed.includes("come back"); tries++) guessed = await failure(guess());
console.log("many tries:", guessed);
console.log("a patient try:", await failure(patiently(guess)));

await outcome(client.POST("/api/v1/delete_user", { body: { user_id, username, password, language } }));
console.log("after the end:", await failure(login(username, password)));

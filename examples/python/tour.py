"""A tour of the API: from the registration of a user to the end of the account."""

import os
import uuid
from collections.abc import Callable

from client import ApiError, Refusal, answer, outcome, patiently
from web_backend_client import AuthenticatedClient, Client
from web_backend_client.api.accounts import authenticate_user, register_user
from web_backend_client.api.characters import (
    duplicate_character,
    get_character_config,
    list_characters,
    update_character_prompt,
    update_character_tts,
)
from web_backend_client.api.providers import get_missing_secrets
from web_backend_client.api.users import delete_user
from web_backend_client.models import (
    AuthenticateUserRequest,
    AuthenticateUserResponse,
    DeleteUserRequest,
    DuplicateCharacterRequest,
    GetCharacterConfigResponse,
    GetCharacterListResponse,
    RegisterUserRequest,
    UpdateCharacterPromptRequest,
    UpdateCharacterTTSRequest,
)

URL = os.environ.get("URL", "http://127.0.0.1:18080")
USERNAME = f"tour-{uuid.uuid4()}"
PASSWORD = "a good password"
LANGUAGE = "en"


def failure(call: Callable[[], object]) -> str:
    """Makes a call that is to fail, and tells how."""
    try:
        call()
    except Refusal as refusal:
        wait = "" if refusal.retry_after is None else f"\n  come back in {refusal.retry_after} s"
        return f"refused: {refusal}{wait}"
    except ApiError as error:
        lines = [f"{error.status} {error}"]
        lines += [f"  {'.'.join(map(str, f.loc))}: {f.msg} ({f.type_})" for f in error.faults]
        if error.retry_after is not None:
            lines.append(f"  come back in {error.retry_after} s")
        return "\n".join(lines)
    return "no error"


# Register and log in. Only these calls need no token.
stranger = Client(base_url=URL)


def login(name: str, word: str) -> AuthenticateUserResponse:
    body = AuthenticateUserRequest(username=name, password=word, language=LANGUAGE)
    return outcome(authenticate_user.sync_detailed(client=stranger, body=body))


registration = RegisterUserRequest(username=USERNAME, password=PASSWORD, language=LANGUAGE)
user_id = outcome(register_user.sync_detailed(client=stranger, body=registration)).user_id
print("wrong password:", failure(lambda: login(USERNAME, "a wrong password")))
session = login(USERNAME, PASSWORD)
print("logged in for", session.expires_in, "s")

# All that follows is sent with the token. A server in mode strict needs it.
client = AuthenticatedClient(base_url=URL, token=str(session.access_token))


def characters_of(client: AuthenticatedClient) -> GetCharacterListResponse:
    return answer(list_characters.sync_detailed(user_id, client=client))


# The type checker knows that this call needs a token.
print("without the token:", failure(lambda: characters_of(stranger)))  # type: ignore[arg-type]
characters = characters_of(client)
print("characters:", ", ".join(characters.character_name_list))

# Default characters are read-only: duplicate one, and change the copy.
character_id = characters.character_id_list[0]


def set_prompt(character_id: str, prompt: str) -> None:
    body = UpdateCharacterPromptRequest(user_id=user_id, character_id=character_id, prompt=prompt)
    answer(update_character_prompt.sync_detailed(client=client, body=body))


def get_character(character_id: str) -> GetCharacterConfigResponse:
    return answer(get_character_config.sync_detailed(user_id, character_id, client=client))


print("read-only:", failure(lambda: set_prompt(character_id, "You sing.")))
duplicate = DuplicateCharacterRequest(user_id=user_id, character_id=character_id, character_name="My own")
copy_id = answer(duplicate_character.sync_detailed(client=client, body=duplicate)).character_id
set_prompt(copy_id, "You sing.")
copy = get_character(copy_id)
print(f"copy: {copy.character_name}, with the prompt: {copy.prompt}")

# What mistakes look like. Ids in a path are escaped: this one has a slash.
print("unknown:", failure(lambda: get_character("no/body")))
wrong = UpdateCharacterTTSRequest(
    user_id=user_id,
    character_id=copy_id,
    tts_adapter="elevenlabs",
    voice=5,  # type: ignore[arg-type]  # the type checker knows that a voice is no number
    voice_speed="fast",
)
print("faults:", failure(lambda: answer(update_character_tts.sync_detailed(client=client, body=wrong))))

# Which provider keys does the character still need?
missing = answer(get_missing_secrets.sync_detailed(user_id, copy_id, client=client))
print("missing for the language model:", ", ".join(missing.llm_requirements))


# Someone guesses passwords. A server has a bound, 10 tries a minute by default.
def guess() -> AuthenticateUserResponse:
    return login(f"nobody-{user_id}", "a guess")


guessed, tries = "", 0
while tries < 20 and "come back" not in guessed:
    guessed, tries = failure(guess), tries + 1
print("many tries:", guessed)
print("a patient try:", failure(lambda: patiently(guess)))

deletion = DeleteUserRequest(user_id=user_id, username=USERNAME, password=PASSWORD, language=LANGUAGE)
outcome(delete_user.sync_detailed(client=client, body=deletion))
print("after the end:", failure(lambda: login(USERNAME, PASSWORD)))

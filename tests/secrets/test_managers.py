"""Secrets managers, asked over the network, on the command line and in the keyring."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend

from syncline.auth import Bearer
from syncline.engine import resolved
from syncline.errors import AuthError
from syncline.model import reveal
from syncline.secrets import redactor, references, resolve
from tests.secrets.standins import ALL, CANARY, LOGIN, TOKEN, Aws, Azure, Environment, Gcp, StandIn, Vault
from tests.support.serving import serving

Write = Callable[[str, str], str]
each = pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(name: str, text: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    return put


@asynccontextmanager
async def running(kind: type[StandIn], write: Write) -> AsyncIterator[tuple[StandIn, Environment, str]]:
    manager = kind()
    async with serving(manager) as url:
        yield manager, {"HOME": str(Path(write("home/x", "")).parent), **manager.environment(url, write)}, url


async def get(name: str, environment: Environment, folder: Path) -> str:
    part = await resolved(Bearer.model_validate({"token": f"${{{name}}}"}), environment, folder)
    assert list(references(part)) == []
    return reveal(part.token)


async def refusal(name: str, environment: Environment, folder: Path) -> AuthError:
    with pytest.raises(AuthError) as caught:
        await get(name, environment, folder)
    assert caught.value.exit_code == 4
    assert caught.value.hint
    assert "used in token" in caught.value.what
    assert "canary" not in caught.value.block()
    return caught.value


@each
async def test_a_field_of_a_secret_is_read(kind: type[StandIn], write: Write, tmp_path: Path) -> None:
    async with running(kind, write) as (_, environment, _):
        assert await get(kind.reference, environment, tmp_path) == CANARY
        assert await get(kind.reference.replace("#token", "#port"), environment, tmp_path) == "8443"


@each
async def test_two_fields_are_one_question_and_one_login(kind: type[StandIn], write: Write, tmp_path: Path) -> None:
    async with running(kind, write) as (manager, environment, _):
        both = f"{kind.reference}}}:${{{kind.reference.replace('#token', '#port')}"
        assert await get(both, environment, tmp_path) == f"{CANARY}:8443"
        assert len(manager.asked) == len(set(manager.asked))


@each
async def test_a_new_resolution_sees_the_rotated_value(kind: type[StandIn], write: Write, tmp_path: Path) -> None:
    async with running(kind, write) as (manager, environment, _):
        assert await get(kind.reference, environment, tmp_path) == CANARY
        manager.value = "canary-after-rotation"
        assert await get(kind.reference, environment, tmp_path) == "canary-after-rotation"


@each
async def test_what_is_not_there_is_told_with_its_reference(kind: type[StandIn], write: Write, tmp_path: Path) -> None:
    async with running(kind, write) as (_, environment, _):
        error = await refusal(kind.reference.replace("#token", "#tokn"), environment, tmp_path)
        assert "has no field 'tokn'; there is: empty, port, token" in error.what
        assert (
            "the value is empty"
            in (await refusal(kind.reference.replace("token", "empty"), environment, tmp_path)).what
        )
        nowhere = kind.reference.replace("api", "nowhere")
        error = await refusal(nowhere, environment, tmp_path)
        assert f"${{{nowhere}}}" in error.what
        assert "answered 40" in error.what


@each
async def test_wrong_credentials_are_told(kind: type[StandIn], write: Write, tmp_path: Path) -> None:
    async with running(kind, write) as (_, environment, _):
        wrong = {LOGIN: "wrong-login-0123456789", TOKEN: "wrong-token-0123456789"}
        if kind is Gcp:
            write(
                "key.json",
                Path(environment["GOOGLE_APPLICATION_CREDENTIALS"]).read_text().replace("END PRIVATE", "END"),
            )
        error = await refusal(kind.reference, {k: wrong.get(v, v) for k, v in environment.items()}, tmp_path)
        assert "RS256" in error.what if kind is Gcp else "answered 40" in error.what


@each
async def test_s9_credentials_that_a_manager_sends_back_are_not_shown(
    kind: type[StandIn], write: Write, tmp_path: Path
) -> None:
    async with running(kind, write) as (manager, environment, _):
        manager.status = 400
        error = await refusal(kind.reference, environment, tmp_path)
        assert "answered 400: no: " in error.what
        assert "PRIVATE" not in error.what


@each
async def test_an_unwell_manager_is_asked_again_and_then_told(
    kind: type[StandIn], write: Write, tmp_path: Path
) -> None:
    async with running(kind, write) as (manager, environment, _):
        manager.status = 503
        error = await refusal(kind.reference, environment, tmp_path)
        assert "503" in error.what
        assert len(manager.asked) == 3


@each
async def test_a_manager_that_is_not_there_is_told(kind: type[StandIn], write: Write, tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), **kind().environment("http://127.0.0.1:9", write)}
    assert "no connection" in (await refusal(kind.reference, environment, tmp_path)).what


@each
async def test_secrets_do_not_travel_in_the_clear(kind: type[StandIn], write: Write, tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), **kind().environment("http://198.51.100.7", write)}
    assert "plain http" in (await refusal(kind.reference, environment, tmp_path)).what


@each
async def test_nothing_set_is_told_with_what_to_set(kind: type[StandIn], tmp_path: Path) -> None:
    nobody = {
        "HOME": str(tmp_path),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": "eu-central-1",
        "GCE_METADATA_HOST": "127.0.0.1:9",
        "AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:9",
    }
    error = await refusal(kind.reference, nobody, tmp_path)
    assert any(word in str(error.hint) for word in ("export", "vault login", "gcloud auth"))


def test_without_the_network_a_reference_to_it_is_missing_not_asked(tmp_path: Path) -> None:
    environment = Vault().environment("https://vault.example", lambda *_: "")
    with pytest.raises(AuthError, match=r"https://vault\.example:443 was not asked \(used in token\)"):
        resolve(Bearer.model_validate({"token": "${vault:secret/shop#token}"}), environment, tmp_path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("vault:shop#token", "is not mount/path#field"),
        ("gcp-sm:shop/api", "is no secret's name"),
        ("azure-kv:shop", "is not vault/secret"),
        ("azure-kv:evil.example@x/api", "is not vault/secret"),
        ("aws-sm:#token", "names no secret"),
        ("keyring:shop", "is not service/user"),
        ("cmd:'", "cannot be split"),
        ("cmd: ", "names no command"),
    ],
)
async def test_names_that_cannot_be_meant(name: str, said: str, tmp_path: Path) -> None:
    assert said in (await refusal(name, {"HOME": str(tmp_path)}, tmp_path)).what


@each
async def test_without_a_field_the_whole_text_is_the_value(kind: type[StandIn], write: Write, tmp_path: Path) -> None:
    async with running(kind, write) as (_, environment, _):
        name = kind.reference.partition("#")[0]
        if kind is Vault:  # whose secrets are never one text
            assert "has several fields" in (await refusal(name, environment, tmp_path)).what
        else:
            assert '"port": 8443' in await get(name, environment, tmp_path)


class TestVault:
    async def test_a_role_logs_in(self, write: Write, tmp_path: Path) -> None:
        async with running(Vault, write) as (manager, environment, _):
            del environment["VAULT_TOKEN"]
            environment |= {"VAULT_ROLE_ID": "shop", "VAULT_SECRET_ID": LOGIN}
            assert await get(Vault.reference, environment, tmp_path) == CANARY
            assert manager.asked == ["POST /v1/auth/approle/login", "GET /v1/secret/data/shop/api"]

    async def test_the_token_file_of_the_command_line_tool(self, write: Write, tmp_path: Path) -> None:
        async with running(Vault, write) as (_, environment, _):
            del environment["VAULT_TOKEN"]
            write("home/.vault-token", f"{TOKEN}\n")
            assert await get(Vault.reference, environment, tmp_path) == CANARY

    async def test_an_api_path_is_taken_as_it_is(self, write: Write, tmp_path: Path) -> None:
        async with running(Vault, write) as (_, environment, _):
            assert await get("vault:secret/data/shop/api#token", environment, tmp_path) == CANARY

    async def test_settings_may_stand_in_the_dotenv(self, write: Write, tmp_path: Path) -> None:
        async with running(Vault, write) as (_, environment, _):
            write(".env", f"VAULT_TOKEN={environment.pop('VAULT_TOKEN')}\n")
            assert await get(Vault.reference, environment, tmp_path) == CANARY


class TestAws:
    async def test_a_profile(self, write: Write, tmp_path: Path) -> None:
        async with running(Aws, write) as (_, environment, _):
            for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "REGION"):
                del environment[f"AWS_{name}"]
            keys = f"aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key={LOGIN}\naws_session_token = {TOKEN}\n"
            write("home/.aws/credentials", f"[default]\naws_access_key_id = x\n[shop]\n{keys}")
            write("home/.aws/config", "[default]\nregion = us-east-1\n[profile shop]\nregion = eu-central-1\n")
            assert await get(Aws.reference, {**environment, "AWS_PROFILE": "shop"}, tmp_path) == CANARY

    async def test_an_arn_names_its_region(self, write: Write, tmp_path: Path) -> None:
        async with running(Aws, write) as (_, environment, _):
            environment["AWS_REGION"] = "us-east-1"
            name = "aws-sm:arn:aws:secretsmanager:eu-central-1:1:secret:shop/api-x#token"
            assert await get(name, environment, tmp_path) == CANARY

    async def test_a_container_has_an_endpoint(self, write: Write, tmp_path: Path) -> None:
        async with running(Aws, write) as (_, environment, url):
            environment = {k: v for k, v in environment.items() if v not in (LOGIN, TOKEN)}
            environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{url}/v2/credentials/x"
            environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = write("token", "canary-ecs\n")
            assert await get(Aws.reference, environment, tmp_path) == CANARY

    async def test_a_machine_has_a_role(self, write: Write, tmp_path: Path) -> None:
        async with running(Aws, write) as (manager, environment, url):
            environment = {k: v for k, v in environment.items() if v not in (LOGIN, TOKEN)}
            environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = url
            assert await get(Aws.reference, environment, tmp_path) == CANARY
            assert manager.asked[0] == "PUT /latest/api/token"


class TestGcp:
    async def test_a_machine_has_a_service_account(self, write: Write, tmp_path: Path) -> None:
        async with running(Gcp, write) as (_, environment, url):
            del environment["GOOGLE_APPLICATION_CREDENTIALS"]
            environment["GCE_METADATA_HOST"] = url.removeprefix("http://")
            assert await get("gcp-sm:projects/shop/secrets/api#token", environment, tmp_path) == CANARY

    async def test_a_person_who_has_logged_in(self, write: Write, tmp_path: Path) -> None:
        async with running(Gcp, write) as (_, environment, url):
            text = '{"type": "authorized_user", "client_id": "id", "client_secret": "canary-x", "refresh_token": "%s", '
            file = write("user.json", text % LOGIN + f'"token_uri": "{url}/token"}}')
            environment["GOOGLE_APPLICATION_CREDENTIALS"] = file
            assert await get(Gcp.reference, environment, tmp_path) == CANARY


class TestAzure:
    async def test_a_federated_token(self, write: Write, tmp_path: Path) -> None:
        async with running(Azure, write) as (_, environment, _):
            del environment["AZURE_CLIENT_SECRET"]
            environment["AZURE_FEDERATED_TOKEN_FILE"] = write("federated", LOGIN)
            assert await get(Azure.reference, environment, tmp_path) == CANARY

    @pytest.mark.parametrize("place", ["metadata", "app service"])
    async def test_a_managed_identity(self, place: str, write: Write, tmp_path: Path) -> None:
        async with running(Azure, write) as (_, environment, url):
            del environment["AZURE_CLIENT_SECRET"]
            if place == "metadata":
                environment["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = url
            else:
                environment |= {"IDENTITY_ENDPOINT": f"{url}/msi/token", "IDENTITY_HEADER": "canary-identity"}
            assert await get(Azure.reference, environment, tmp_path) == CANARY


class TestCommand:
    async def test_what_a_program_prints(self, tmp_path: Path) -> None:
        (tmp_path / "print.py").write_text("import os, sys; print(os.getcwd(), sys.argv[1:], sep='|')")
        printed = await get(f"cmd:{sys.executable} print.py 'a b' $HOME;ls", {}, tmp_path)
        assert printed == f"{tmp_path}|['a b', '$HOME;ls']"

    async def test_failures_show_no_output_of_the_program(self, tmp_path: Path) -> None:
        (tmp_path / "fail.py").write_text("import sys; print('canary'); print('canary', file=sys.stderr); sys.exit(3)")
        error = await refusal(f"cmd:{sys.executable} fail.py", {}, tmp_path)
        assert "ended with exit code 3" in error.what
        assert "try it by hand" in str(error.hint)
        assert "cannot be started" in (await refusal("cmd:no-such-program-here", {}, tmp_path)).what
        (tmp_path / "silent.py").write_text("")
        assert "is empty" in (await refusal(f"cmd:{sys.executable} silent.py", {}, tmp_path)).what

    async def test_it_has_a_time_limit(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("syncline.secrets.command.TIME_LIMIT", 0.1)
        (tmp_path / "slow.py").write_text("import time; time.sleep(60)")
        assert "took longer than 0.1 s" in (await refusal(f"cmd:{sys.executable} slow.py", {}, tmp_path)).what

    async def test_s8_a_value_never_becomes_a_command(self, tmp_path: Path) -> None:
        marker = tmp_path / "ran"
        trap = f"${{cmd:{sys.executable} -c open({str(marker)!r},'w')}}"
        (tmp_path / ".env").write_text(
            f"A='{trap}'\n" if "'" not in trap else f'A="{trap.replace("$", chr(92) + "$")}"\n'
        )
        assert await get("A", {}, tmp_path) == trap
        assert not marker.exists()

    async def test_the_loop_goes_on_meanwhile(self, tmp_path: Path) -> None:
        (tmp_path / "wait.py").write_text(
            "import pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(0.01)\nprint(1)"
        )
        asking = asyncio.create_task(get(f"cmd:{sys.executable} wait.py", {}, tmp_path))
        await asyncio.sleep(0)
        (tmp_path / "go").touch()
        assert await asking == "1"


class Ring(KeyringBackend):
    priority: Any = 1

    def get_password(self, service: str, username: str) -> str | None:
        if service == "locked":
            raise RuntimeError("canary")
        return {("team/shop", "anna"): CANARY}.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError

    def delete_password(self, service: str, username: str) -> None:
        raise NotImplementedError


class TestKeyring:
    @pytest.fixture(autouse=True)
    def ring(self) -> Any:
        before = keyring.get_keyring()
        keyring.set_keyring(Ring())
        yield
        keyring.set_keyring(before)

    async def test_a_password(self, tmp_path: Path) -> None:
        assert await get("keyring:team/shop/anna", {}, tmp_path) == CANARY
        assert CANARY not in redactor.text(f"x {CANARY}")

    async def test_none(self, tmp_path: Path) -> None:
        assert (await refusal("keyring:shop/ben", {}, tmp_path)).hint == "keyring set shop ben"
        assert "RuntimeError" in (await refusal("keyring:locked/ben", {}, tmp_path)).what

    async def test_the_extra_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "keyring", None)
        assert "syncline[keyring]" in str((await refusal("keyring:shop/ben", {}, tmp_path)).hint)

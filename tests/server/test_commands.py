"""The command line: what operators run, and what it says when it can't."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import make_url

from app.accounts.access.api_keys import SERVICE_KEY_PREFIX
from app.cli.arguments import plain_amount
from app.cli.command_error import CommandError
from app.clock import Clock
from app.db.engine import Database, connect, open_connection
from app.db.unit_of_work import transact
from app.ledger.chart_of_accounts import Source
from app.ledger.movements import Grant
from app.ledger.post_movements import post_one
from app.settings import Settings
from app.store import billing_accounts as billing_account_store
from tests.support.accounts import new_person
from tests.support.databases import empty_url
from tests.support.postgres import refusing_postgres
from tests.support.running_backend import CATALOGS, GivenSettings
from tests.support.server import free_ports, run_command, run_until

_PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "a secret key for tests only",
    "ABUSE_PEPPER": "a pepper for tests only",
    "DATABASE_URL": "postgresql://127.0.0.1:1/nothing",
    "PUBLIC_URL": "https://billing.example.com",
    "STRIPE_API_KEY": "sk_live_nothing",
    "STRIPE_PUBLISHABLE_KEY": "pk_live_nothing",
    "STORAGE_URL": "memory:///",
}


@pytest.mark.parametrize("missing", sorted(_PRODUCTION.keys() - {"ENVIRONMENT"}))
def test_production_needs_each_required_setting_and_says_which_is_missing(missing: str) -> None:
    given = {name.lower(): value for name, value in _PRODUCTION.items() if name != missing}

    with pytest.raises(ValidationError) as refused:
        GivenSettings(**given)  # pyright: ignore[reportArgumentType]

    [error] = refused.value.errors()
    assert [name for name in _PRODUCTION if f"{name} is missing" in error["msg"]] == [missing]


def test_production_names_everything_that_is_missing_at_once() -> None:
    ended = run_command("serve", environment={"ENVIRONMENT": "production"})

    assert ended.returncode == 2
    assert [name for name in _PRODUCTION.keys() - {"ENVIRONMENT"} if name not in ended.stderr] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("rate_limits", "off"), ("fault_point", "anywhere"), ("fault_file", "a file"), ("fault_log", "a file")],
)
def test_production_refuses_what_would_be_unsafe_there(name: str, value: str) -> None:
    given = {**{each.lower(): setting for each, setting in _PRODUCTION.items()}, name: value}

    with pytest.raises(ValidationError, match=name.upper()):
        GivenSettings(**given)  # pyright: ignore[reportArgumentType]


def test_production_gets_no_user_whose_password_everybody_knows() -> None:
    ended = run_command("seed", environment=_PRODUCTION)

    assert ended.returncode == 2
    assert "everybody knows the demo user's password" in ended.stderr


def test_production_does_not_run_the_command_for_development() -> None:
    ended = run_command("dev", environment=_PRODUCTION)

    assert ended.returncode == 2
    assert "counterfoil serve" in ended.stderr


def test_settings_that_make_no_sense_are_told_by_name() -> None:
    ended = run_command("dev", environment={"PORT": "eighty", "SANDBOX_PORT": "99999", "ENVIRONMENT": "moon"})

    assert ended.returncode == 2
    assert [line.partition(":")[0] for line in ended.stderr.splitlines()] == ["ENVIRONMENT", "PORT", "SANDBOX_PORT"]
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("options", ["nonsense", "[1]", '{"name": 1}'])
def test_options_that_are_no_texts_by_name_are_told_in_a_sentence(options: str) -> None:
    with pytest.raises(ValidationError) as refused:
        GivenSettings.model_validate({"storage_options": options})
    assert {error["loc"][0] for error in refused.value.errors()} == {"storage_options"}


def test_objects_lie_in_a_folder_of_the_home_unless_told_otherwise(tmp_path: Path) -> None:
    home = GivenSettings.model_validate({"counterfoil_home": tmp_path / "a home", "aws_access_key_id": "key"})
    assert (home.objects_url, home.objects_options) == ((tmp_path / "a home" / "objects").as_uri(), {})


def test_the_usual_variables_of_aws_reach_s3_and_options_go_before_them() -> None:
    given = {
        "storage_url": "s3://bucket/prefix",
        "aws_access_key_id": "key",
        "aws_secret_access_key": "secret",
        "aws_default_region": "eu-west-1",
        "aws_endpoint_url": "http://127.0.0.1:9000",
        "storage_options": {"aws_region": "eu-west-2", "aws_request_payer": "true"},
    }
    assert GivenSettings.model_validate(given).objects_options == {
        "aws_access_key_id": "key",
        "aws_secret_access_key": "secret",
        "aws_region": "eu-west-2",
        "aws_endpoint": "http://127.0.0.1:9000",
        "aws_request_payer": "true",
    }


@pytest.mark.parametrize("command", ["serve", "dev", "worker", "migrate"])
def test_keys_and_addresses_that_make_no_sense_are_told_by_name_and_not_repeated(command: str) -> None:
    given = {
        "STRIPE_PUBLISHABLE_KEY": "sk_live_hidden",
        "SMTP_URL": "http://user:hidden@x",
        "BROADCAST_URL": "foo:hidden",
        "DATABASE_URL": "mysql://user:hidden@x",
        "PUBLIC_URL": "user:hidden@example.com",
        "MAIL_FROM": "Billing",
    }

    ended = run_command(command, environment=given)

    assert ended.returncode == 2
    assert {line.partition(": ")[0] for line in ended.stderr.splitlines()} == given.keys()
    assert "hidden" not in ended.stderr + ended.stdout


@pytest.mark.parametrize("command", [("ledger", "verify"), ("serve",), ("worker",), ("dev",), ("migrate",)])
def test_a_database_that_can_not_be_reached_is_told_in_a_sentence(command: tuple[str, ...], tmp_path: Path) -> None:
    sandbox_port = str(free_ports(1)[0])
    ended = run_command(
        *command,
        environment={
            "DATABASE_URL": "postgresql://user:hidden@127.0.0.1:1/nothing",
            "COUNTERFOIL_HOME": str(tmp_path),
            "SANDBOX_PORT": sandbox_port,
        },
    )

    assert ended.returncode == 2
    assert "DATABASE_URL" in ended.stderr
    assert "hidden" not in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"database": "nowhere"}, 'database "nowhere" does not exist'),
        ({"username": "hidden"}, "this role does not exist"),
    ],
)
def test_why_postgresql_lets_nobody_in_is_told_in_its_own_words(
    database_url: str, changed: dict[str, str], reason: str
) -> None:
    url = make_url(database_url).set(**changed).render_as_string(hide_password=False)  # pyright: ignore[reportArgumentType]
    ended = run_command("serve", environment={"DATABASE_URL": url})

    assert (ended.returncode, ended.stderr) == (
        2,
        f"The database can't be reached: {reason}. Look at DATABASE_URL.\n",
    )


def test_a_wrong_password_is_told_without_it_and_without_its_user() -> None:
    with refusing_postgres("28P01", 'password authentication failed for user "hidden"') as port:
        url = f"postgresql://hidden:hidden2@127.0.0.1:{port}/nothing?sslmode=disable"
        ended = run_command("serve", environment={"DATABASE_URL": url})

    assert ended.returncode == 2
    assert "password authentication failed for this user" in ended.stderr
    assert "hidden" not in ended.stderr


@pytest.mark.parametrize("host", ["foo.invalid", "192.0.2.1", "a..b"])
def test_an_address_that_is_not_this_machines_is_told_as_the_host_and_not_as_the_port(
    database_url: str, host: str
) -> None:
    ended = run_command("serve", environment={"DATABASE_URL": database_url, "HOST": host})

    assert ended.returncode == 2
    assert f"Nothing can listen on {host} port 8000: " in ended.stderr
    assert "Set HOST to an address of this machine" in ended.stderr
    assert "PORT" not in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("command", "kind"), [(("serve", "--no-worker"), "server"), (("serve",), "server"), (("worker",), "worker")]
)
def test_a_line_of_the_log_says_that_a_process_has_started_and_another_that_it_ended(
    database_url: str, tmp_path: Path, command: tuple[str, ...], kind: str
) -> None:
    [port] = free_ports(1)
    environment = {"DATABASE_URL": database_url, "PORT": str(port), "COUNTERFOIL_HOME": str(tmp_path)}
    log = run_until(f"{kind}.started", *command, environment=environment)

    [started] = [line for line in log.splitlines() if f"{kind}.started" in line]
    assert "catalog=analytics" in started
    if kind == "server":
        assert f"host=127.0.0.1 port={port}" in started
        assert f"with_worker={'--no-worker' not in command}" in started
    assert log.count(f"{kind}.ended") == 1
    assert "Traceback" not in log


async def test_a_server_does_not_start_on_a_database_that_was_not_migrated(server_url: str) -> None:
    async with empty_url(server_url) as url:
        refused = run_command("serve", environment={"DATABASE_URL": url})
        migrated = run_command("migrate", environment={"DATABASE_URL": url})
        again = run_command("migrate", environment={"DATABASE_URL": url})

    assert refused.returncode == 2
    assert "counterfoil migrate" in refused.stderr
    assert (migrated.returncode, again.returncode) == (0, 0), migrated.stderr + again.stderr


def test_the_url_of_the_database_can_say_how_to_encrypt(database_url: str) -> None:
    sign = "&" if "?" in database_url else "?"
    plain = run_command("ledger", "verify", environment={"DATABASE_URL": f"{database_url}{sign}sslmode=disable"})
    unknown = run_command("ledger", "verify", environment={"DATABASE_URL": f"{database_url}{sign}sslmode=perhaps"})

    assert plain.returncode == 0, plain.stderr
    assert (unknown.returncode, "DATABASE_URL" in unknown.stderr) == (2, True), unknown.stderr
    assert "Traceback" not in unknown.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [('[tax]\nmode = "stripe_tax"\n', "tax.mode"), (None, "can't be read")],
)
def test_a_catalog_with_mistakes_is_told_by_file_key_and_expectation(
    tmp_path: Path, database_url: str, text: str | None, message: str
) -> None:
    path = tmp_path / "shop.toml"
    if text is not None:
        path.write_text(text)

    ended = run_command("serve", environment={"DATABASE_URL": database_url, "CATALOG": str(path)})

    assert ended.returncode == 2
    assert str(path) in ended.stderr.replace("\n", "")
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_created_service_key_is_printed_once_as_the_last_word(database_url: str) -> None:
    scopes = ("--scope", "CREDITS_WRITE", "--scope", "OPERATOR")

    ended = run_command(
        "keys", "create", "--service", "--name", "the host", *scopes, environment={"DATABASE_URL": database_url}
    )

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split()[-1].startswith(SERVICE_KEY_PREFIX)
    assert ended.stdout.count(SERVICE_KEY_PREFIX) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--name", "the host", "--scope", "OPERATOR"),
        ("--service", "--name", "", "--scope", "OPERATOR"),
        ("--service", "--name", "the host", "--scope", "EVERYTHING"),
    ],
)
def test_a_key_without_a_name_or_a_scope_is_not_created(database_url: str, arguments: tuple[str, ...]) -> None:
    ended = run_command("keys", "create", *arguments, environment={"DATABASE_URL": database_url})

    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert SERVICE_KEY_PREFIX not in ended.stdout


async def test_ledger_verify_ends_with_0_for_a_sound_ledger_and_with_1_naming_an_entry_altered_by_hand(
    database_url: str,
) -> None:
    database = Database(connect(database_url), Clock())
    person = await new_person(database)
    workspace_id = person.user.personal_workspace_id
    given = Grant(workspace_id=workspace_id, amount=10, source=Source.PROMOTION, description="A gift")
    await transact(database, lambda session: post_one(session, given))
    await database.close()

    sound = run_command("ledger", "verify", environment={"DATABASE_URL": database_url})
    connection = await open_connection(database_url)
    await connection.execute("SET session_replication_role = replica")
    await connection.execute("UPDATE ledger_entries SET amount = amount + 1 WHERE account = 'AVAILABLE'")
    await connection.close()
    altered = run_command("ledger", "verify", environment={"DATABASE_URL": database_url})

    assert sound.returncode == 0, sound.stdout + sound.stderr
    assert altered.returncode == 1
    assert str(workspace_id) in altered.stdout
    assert "Traceback" not in altered.stderr


@pytest.mark.parametrize(("text", "amount"), [("500.00", "500.00"), ("0", "0"), ("007.5", "7.5")])
def test_an_amount_is_written_in_digits(text: str, amount: str) -> None:
    assert plain_amount(text) == Decimal(amount)


@pytest.mark.parametrize(
    "text",
    ["", "1e5", "1E5", "NaN", "inf", "-inf", "1,000", "1_000", " 5", "5\n", "+5", ".5", "5.", "٣", "--plam", "0x1"],
)
def test_and_in_nothing_else(text: str) -> None:
    with pytest.raises(CommandError, match="is no amount: write it like"):
        plain_amount(text)


async def test_a_limit_that_is_no_amount_of_money_is_told_in_a_sentence_and_sets_nothing(database_url: str) -> None:
    database = Database(connect(database_url), Clock())
    person = await new_person(database)
    environment = {"DATABASE_URL": database_url}
    for text, message in (
        ("-1", "The amount must not be negative."),
        ("1.234", "The amount may have at most 2 digits after the point."),
    ):
        refused = run_command("workspace", "set-limit", person.user.handle, text, environment=environment)
        assert (refused.returncode, refused.stderr.strip()) == (2, message)
    async with database.read() as session:
        account = await billing_account_store.find(session, person.user.personal_workspace_id)
    await database.close()

    # the account is made at its first use
    assert account is None
    taken = run_command("workspace", "set-limit", person.user.handle, "1.23", environment=environment)
    assert (taken.returncode, "1.23 EUR" in taken.stdout) == (0, True), taken.stderr


def test_every_setting_can_be_left_out_in_development() -> None:
    assert [name for name, field in Settings.model_fields.items() if field.is_required()] == []


def test_the_doctor_says_which_settings_are_missing_that_guard_against_abuse_or_tell_the_sellers() -> None:
    missing = run_command("doctor", environment={})
    assert "ABUSE_PEPPER is missing" in missing.stdout
    assert "SALES_EMAIL is missing" in missing.stdout
    pepper = {"ABUSE_PEPPER": "a pepper for tests only", "SALES_EMAIL": "sales@example.com"}
    given = run_command("doctor", environment=pepper)
    assert (given.returncode, "is missing" in given.stdout) == (0, False), given.stdout + given.stderr
    kept = run_command("doctor", environment={**pepper, "ABUSE_PEPPER_OLD": "a pepper for tests only"})
    assert "take it away" in kept.stdout
    wrong = run_command("doctor", environment={"SALES_EMAIL": "Sales <sales@example.com>"})
    assert (wrong.returncode, "SALES_EMAIL" in wrong.stderr) == (2, True)


def test_the_doctor_says_what_must_be_set_in_the_dashboard_by_hand() -> None:
    told = run_command("doctor", environment={"CATALOG": str(CATALOGS / "messaging.toml")})

    assert told.returncode == 0, told.stderr
    assert "at least 7 days" in told.stdout
    assert "Leave the subscription past due" in told.stdout
    assert "Round at line level" in told.stdout

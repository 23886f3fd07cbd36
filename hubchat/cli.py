"""The command line. What goes wrong is one line on standard error; exit code 1, or 2 for wrong usage.

Each command imports what it needs when it runs, so that `--help` is there at once.
"""

import asyncio
import atexit
import gc
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NoReturn, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from hubchat.access import HubRole, Visibility
    from hubchat.node import Node
    from hubchat.settings import Settings
    from hubchat.storage.database import Database

T = TypeVar("T")

WRONG, USAGE = 1, 2


class _Plain:
    """A command whose flags, `--help` among them, are shown without a type: typer would call it <bool>."""

    def get_params(self, ctx: Any) -> list[Any]:  # Any: typer keeps these types to itself
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]  # of the class beside it
        for one in params:
            if getattr(one, "is_flag", False):
                one.metavar = ""
        return params


class PlainCommand(_Plain, TyperCommand):
    pass


class PlainGroup(_Plain, TyperGroup):
    pass


def show_help(context: typer.Context) -> None:
    """What a command is answered that needs another word."""
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(USAGE)


group_of: Final = partial(typer.Typer, cls=PlainGroup, callback=show_help, invoke_without_command=True)
app: Final = group_of(
    name="hubchat",
    help="A live community hub. `hubchat serve --demo` shows one; docs/operating.md says how to run your own.",
    add_completion=False,
    pretty_exceptions_enable=False,  # they print local variables, and with them secrets
)
user: Final = group_of(help="Members: add one, set a password, make a sign-in link, erase one.")
group: Final = group_of(help="Groups: add one.")
app.add_typer(user, name="user")
app.add_typer(group, name="group")

Data = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="The data folder (HUBCHAT_DATA; `data`).")]
Host = Annotated[str | None, typer.Option(metavar="HOST", help="The address to listen on (localhost).")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, metavar="PORT", help="The port to listen on (8000).")]
DatabaseUrl = Annotated[str | None, typer.Option(metavar="URL", help="PostgreSQL instead of SQLite.")]
RedisUrl = Annotated[str | None, typer.Option(metavar="URL", help="Redis between several nodes.")]
Handle = Annotated[str, typer.Argument(metavar="HANDLE", help="A member's handle, without @.")]


@app.callback()
def begin(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from hubchat import __version__

        print(f"hubchat {__version__}")
        raise typer.Exit
    show_help(context)


@app.command(cls=PlainCommand)
def serve(
    data: Data = None,
    host: Host = None,
    port: Port = None,
    database_url: DatabaseUrl = None,
    redis_url: RedisUrl = None,
    demo: Annotated[bool, typer.Option("--demo", help="The demo community, in DATA/demo, for this machine.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, metavar="N", help="Processes on the port (1).")] = None,
    no_jobs: Annotated[bool, typer.Option("--no-jobs", help="Leave background work to `hubchat jobs`.")] = False,
) -> None:
    """Run the hub until Ctrl-C."""
    from hubchat import starting

    settings = _settings(
        data=data, host=host, port=port, database_url=database_url, redis_url=redis_url, demo=demo or None,
        workers=workers, jobs=False if no_jobs else None,
    )  # fmt: skip
    starting.serve(settings)


@app.command("jobs", cls=PlainCommand)
def do_jobs(
    again: Annotated[bool, typer.Option("--again", help="Try once more what went wrong too often.")] = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
    redis_url: RedisUrl = None,
) -> None:
    """Do background work until Ctrl-C, for nodes that leave it."""
    from hubchat import starting

    settings = _settings_of_a_hub(data=data, database_url=database_url, redis_url=redis_url)
    starting.work(settings, again=again)


@user.command("add", cls=PlainCommand)
def add_user(
    handle: Handle,
    email: Annotated[str | None, typer.Option(help="Their address, if they want one kept.")] = None,
    role: Annotated[Literal["member", "moderator", "admin"], typer.Option(help="Their rank on the hub.")] = "member",
    name: Annotated[str | None, typer.Option(help="The name that is seen; the handle unless given.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read a password; without one they sign in by `user link`.")
    ] = False,
    data: Data = None,
) -> None:
    """Make an account and print its id."""
    from hubchat.actions import accounts

    password = _first_line() if password_stdin else None

    async def add(node: "Node") -> tuple[int, bool]:
        rank: HubRole = role
        made = await accounts.create(node, handle, name or handle, email=email, role=rank, password=password)
        return made.persona_id, await accounts.has_others_at(node, email)

    settings = _settings(data=data)
    begins = not _has_hub(settings)
    made, is_shared = _on_node(settings, add)
    print(made)
    if begins:
        print(f"hubchat: no hub was in {settings.data}; a new one is begun there, on SQLite", file=sys.stderr)
    if is_shared:
        print("hubchat: another account has this e-mail address too", file=sys.stderr)


@user.command("password", cls=PlainCommand)
def set_password(handle: Handle, data: Data = None) -> None:
    """Set a member's password, asked for here or read from standard input; their sessions end."""
    from hubchat.actions import accounts
    from hubchat.actions.operator import act_as

    settings = _settings_of_a_hub(data=data)
    if sys.stdin.isatty():
        _on_node(settings, lambda node: act_as(node, handle))  # before a password is typed twice for nobody
        password: str = typer.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = _first_line()
    _on_node(settings, lambda node: accounts.set_password(node, handle, password))


@user.command("link", cls=PlainCommand)
def link_user(
    handle: Handle,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, metavar="PORT", help="The port served, where HUBCHAT_URL is not set."),
    ] = None,
    data: Data = None,
) -> None:
    """Print a link that signs a member in, once, within an hour."""
    from hubchat.actions.links import sign_in_link
    from hubchat.actions.operator import act_as

    async def link(node: "Node") -> str:
        caller = await act_as(node, handle)
        return await sign_in_link(node, port or node.settings.port, caller.account_id)

    print(_on_node(_settings_of_a_hub(data=data), link))


@user.command("erase", cls=PlainCommand)
def erase_user(
    handle: Handle,
    keep_messages: Annotated[
        bool, typer.Option("--keep-messages", help="Leave what they wrote, without their name.")
    ] = False,
    data: Data = None,
) -> None:
    """Erase a member for good, and print how much of what went. There is no way back."""
    from hubchat.actions import erasures
    from hubchat.actions.operator import act_as

    async def erase(node: "Node") -> dict[str, int]:
        account_id = (await act_as(node, handle)).account_id
        going = await erasures.begin(node, account_id, "keep_without_name" if keep_messages else "erase")
        await erasures.carry_out(node, account_id)
        return going

    going = _on_node(_settings_of_a_hub(data=data), erase)
    print(", ".join(f"{name} {count:,}" for name, count in going.items()))


@app.command(cls=PlainCommand)
def export(
    handle: Handle,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; it must not be there yet.")],
    data: Data = None,
) -> None:
    """Write everything that is kept of a member to a zip of JSON and a readable page."""
    from hubchat.actions.exports import export_to
    from hubchat.actions.operator import act_as

    if file.exists():
        raise Refused(f"{file} is there already")

    async def write(node: "Node") -> None:
        await export_to(node, (await act_as(node, handle)).account_id, file)

    _on_node(_settings_of_a_hub(data=data), write)


@app.command(cls=PlainCommand)
def token(
    handle: Handle,
    name: Annotated[str, typer.Option(help="What it is for, as its owner will see it.")] = "command line",
    scopes: Annotated[str, typer.Option(help="Of: read,write,groups,account,admin.")] = "read,write,groups",
    data: Data = None,
) -> None:
    """Make a token for programs that act for a member, and print it: this once."""
    from hubchat.access import SCOPES
    from hubchat.actions.operator import act_as
    from hubchat.actions.tokens import make_token

    wanted = scopes.replace(",", " ").split()
    if not wanted or not set(wanted) <= set(SCOPES):
        raise Refused(f"--scopes takes some of {','.join(SCOPES)}", USAGE)

    async def make(node: "Node") -> str:
        caller = await act_as(node, handle)
        made, _ = await make_token(node, caller.account_id, name, [one for one in SCOPES if one in wanted])
        return made

    print(_on_node(_settings_of_a_hub(data=data), make))


@group.command("add", cls=PlainCommand)
def add_group(
    slug: Annotated[str, typer.Argument(metavar="SLUG", help="Its address: a-z, 0-9 and -.")],
    title: Annotated[str, typer.Option(help="What it is called.")],
    visibility: Annotated[Literal["public", "open", "closed", "secret"], typer.Option(help="Who may see and join it.")],
    owner: Annotated[str | None, typer.Option(metavar="HANDLE", help="Who owns it.")] = None,
    data: Data = None,
) -> None:
    """Make a group and print its id. A closed or secret one needs an owner, who lets people in."""
    from hubchat.actions import groups
    from hubchat.actions.groups import NewGroup
    from hubchat.actions.operator import act_as, create_ownerless

    if owner is None and visibility in ("closed", "secret"):
        raise Refused(f"a {visibility} group needs somebody who lets people in: --owner HANDLE", USAGE)

    async def add(node: "Node") -> int:
        shape: Visibility = visibility
        new = NewGroup(title, shape, slug)
        return await (
            create_ownerless(node, new) if owner is None else groups.create(node, await act_as(node, owner), new)
        )

    print(_on_node(_settings_of_a_hub(data=data), add))


@app.command(cls=PlainCommand)
def say(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="A channel's id, or a group's address.")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to say; - reads it from standard input.")],
    handle: Annotated[str, typer.Option("--as", metavar="HANDLE", help="Who says it.")],
    data: Data = None,
) -> None:
    """Send a message as a member and print its number."""
    from hubchat.actions.operator import act_as, say

    words = sys.stdin.read().removesuffix("\n") if text == "-" else text

    async def send(node: "Node") -> int:
        return await say(node, await act_as(node, handle), channel, words)

    print(_on_node(_settings_of_a_hub(data=data), send))


@app.command("doctor", cls=PlainCommand)
def examine(
    data: Data = None,
    host: Host = None,
    port: Port = None,
    database_url: DatabaseUrl = None,
    redis_url: RedisUrl = None,
) -> None:
    """Look at settings, database, data folder, clock, port and open files, and say what to do."""
    from hubchat import doctor

    def given() -> "Settings":
        return _settings(data=data, host=host, port=port, database_url=database_url, redis_url=redis_url)

    if not doctor.examine(given):
        raise typer.Exit(WRONG)


@app.command(cls=PlainCommand)
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; it must not be there yet.")],
    to: Annotated[
        list[str] | None, typer.Option("--to", metavar="KEY", help="A public key of age (age1…); may be several.")
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Without encryption: members' words in the clear.")] = False,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Copy the hub to one file, of one moment, while it runs."""
    from hubchat import backups

    if bool(to) is plain:
        raise Refused("name a public key by --to (`age-keygen` makes one), or say --plain", USAGE)
    settings = _settings_of_a_hub(data=data, database_url=database_url)
    rows = _on_database(settings, lambda database: backups.back_up(database, file, to or []))
    print(f"{file}: {rows['account']:,} members, {rows['channel']:,} channels, {rows['entry']:,} entries")


@app.command(cls=PlainCommand)
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What hubchat backup made.")],
    identity: Annotated[
        Path | None, typer.Option(metavar="KEYFILE", help="age's private key, as `age-keygen` writes it.")
    ] = None,
    erasures: Annotated[
        list[Path] | None,
        typer.Option("--erasures", metavar="FILE", help="Another node's journal of erasures; may be several."),
    ] = None,
    data: Data = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Put a backup back, into an empty database of either kind, without what was erased since."""
    from hubchat import backups
    from hubchat.actions.erasures import replay
    from hubchat.folder import open_folder
    from hubchat.journal import Journal
    from hubchat.starting import hold_database

    keys = [] if identity is None else backups.read_identities(identity)
    settings = _settings(data=data, database_url=database_url)
    _has_hub(settings)  # raises for another user's
    open_folder(settings.data)
    journal = Journal(settings.journal)
    journal.add_missing(line for one in erasures or [] for line in Journal(one).read_there())
    lines = journal.read()
    with hold_database(settings):
        then = partial(replay, lines=lines)
        rows = _on_database(settings, lambda database: backups.restore(database, file, keys, then))
    print(f"{rows['account']:,} members, {rows['channel']:,} channels and {rows['entry']:,} entries are back")
    if lines:
        print(f"{len(lines):,} erasures that {settings.journal} knows of were done again")


@app.command(cls=PlainCommand)
def reindex(data: Data = None) -> None:
    """Empty the index that search looks into; the hub that runs, or the next one, makes it anew."""
    from hubchat.actions import operator

    entries = _on_node(_settings_of_a_hub(data=data), operator.reindex)
    print(f"{entries:,} entries are read anew by the hub that runs, within a minute, or by the next one")


@app.command("demo-reset", cls=PlainCommand)
def reset_demo(data: Data = None) -> None:
    """Forget the demo community; the next start of the demo begins it anew."""
    from hubchat import settings
    from hubchat.demo.ground import forget_demo

    found = settings.load(data=data)
    if not forget_demo(found.data):
        print("There is no demo community.")
    elif found.database_url is None:
        print("The demo community is gone; the next start begins it anew.")
    else:
        print("The demo's folder is gone; what HUBCHAT_DATABASE_URL names is left as it is.")


class Refused(Exception):
    """What can't be done, in one line, and the exit code."""

    def __init__(self, line: str, code: int = WRONG) -> None:
        super().__init__(line)
        self.code = code


def main() -> NoReturn:
    """The program `hubchat`."""
    gc.disable()  # what is imported stays, and looking through it takes 0.1 s; what runs for long enables it again
    atexit.register(gc.freeze)  # else it is all looked through once more before the process ends: 0.2 s
    try:
        sys.exit(app(prog_name="hubchat", standalone_mode=False) or 0)
    except typer.TyperException as error:
        _fail(f"{error.format_message()} (see hubchat --help)".replace("\n", " "), error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except Refused as error:
        _fail(str(error), error.code)
    except BrokenPipeError:  # whoever read our output went away
        sys.exit(WRONG)
    except Exception as error:  # noqa: BLE001  # the edge
        from hubchat.complaints import line_of

        _fail(line_of(error), WRONG)
    finally:
        gc.enable()


def _fail(line: str, code: int) -> NoReturn:
    print(f"hubchat: {line}", file=sys.stderr)
    sys.exit(code)


def _settings(**given: object) -> "Settings":
    """Settings, with the demo's own folder where it is the demo."""
    from hubchat import settings

    found = settings.load(**given)
    if not found.demo:
        return found
    from hubchat.demo.ground import demo_settings

    return demo_settings(found)


def _settings_of_a_hub(**given: object) -> "Settings":
    """Settings that lead to a hub. Raises Refused: on SQLite one would be made wherever they were left out."""
    settings = _settings(**given)
    if not _has_hub(settings):
        raise Refused(
            f"there is no hub in {settings.data}; name its folder by --data or HUBCHAT_DATA, or its database by "
            "HUBCHAT_DATABASE_URL (hubchat serve begins one)"
        )
    return settings


def _has_hub(settings: "Settings") -> bool:
    """Whether there is one; on PostgreSQL, where nothing is made by mistake, always.

    Raises FolderError where it is another user's, and would be damaged by root.
    """
    from hubchat.folder import require_ours
    from hubchat.storage.opening import sqlite_path

    file = sqlite_path(settings.database_url, settings.data)
    if file is None:
        return True
    require_ours(file)
    try:
        return file.exists()
    except PermissionError:  # whoever goes on is told of it
        return True


def _on_node(settings: "Settings", verb: "Callable[[Node], Awaitable[T]]") -> T:
    """What `verb` gives on a node of its own, beside a server that may be running."""
    from hubchat import logs
    from hubchat.folder import open_folder
    from hubchat.node import open_node

    logs.set_up("critical", settings.log_format)  # what goes wrong is told once, by main
    open_folder(settings.data)

    async def run() -> T:
        async with open_node(settings) as node:
            return await verb(node)

    return asyncio.run(run())


def _on_database(settings: "Settings", verb: "Callable[[Database], Awaitable[T]]") -> T:
    """What `verb` gives on the database alone, which may be all of it."""
    from hubchat import logs
    from hubchat.storage.opening import open_database

    gc.enable()
    logs.set_up("critical", settings.log_format)  # what goes wrong is told once, by main

    async def run() -> T:
        database = open_database(settings.database_url, settings.data, patient=True)
        try:
            return await verb(database)
        finally:
            await database.close()

    return asyncio.run(run())


def _first_line() -> str:
    return sys.stdin.readline().removesuffix("\n").removesuffix("\r")

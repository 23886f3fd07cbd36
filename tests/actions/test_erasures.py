"""Somebody leaves for good: what goes, what stays, who takes over, and what a crash in the middle changes."""

import gzip
import io
import tarfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel

from hubchat.actions import conversations, erasures, invites, members, recovery, reports
from hubchat.actions.erasures import Erasing, begin, carry_out
from hubchat.actions.me import MeChange, change_me
from hubchat.actions.names import likeness, require_handle
from hubchat.actions.reports import Reported
from hubchat.actions.tokens import make_token
from hubchat.backups import back_up
from hubchat.channels.items import Edit, React
from hubchat.errors import HubError
from hubchat.journal import Journal
from hubchat.storage import accounts, credentials, links, policies, repeats
from hubchat.storage import erasures as stored
from hubchat.storage.accounts import NewAccount
from hubchat.storage.belongings import TABLES, count_things
from hubchat.storage.erasures import Messages
from hubchat.storage.people import read_people, read_person
from hubchat.storage.sessions import Caller, insert_session
from tests.community import Community, open_community

MARK = "zqmark"


async def edit(hub: Community, who: Caller, channel: int, seq: int, text: str) -> None:
    await hub.node.log.append(lambda done: Edit(who.account_id, who.persona_id, channel, done, seq, text))


async def react(hub: Community, who: Caller, channel: int, seq: int, emoji: str = "👍") -> None:
    await hub.node.log.append(lambda done: React(who.account_id, who.persona_id, channel, done, seq, emoji, True))


async def erase(hub: Community, who: Caller, messages: Messages = "erase") -> dict[str, int]:
    going = await begin(hub.node, who.account_id, messages)
    await carry_out(hub.node, who.account_id)
    return going


async def live(hub: Community) -> tuple[Caller, Caller, int, int]:
    """Ana, who left a mark wherever one can; Ben; their room and their conversation."""
    node = hub.node
    ben = await hub.member("ben")
    ana = await hub.member(f"{MARK}-ana")
    email = {"email": f"{MARK}@example.org", "kind": "patient", "lang": "de"}
    await node.log.write(lambda tx: accounts.update_account(tx.connection, ana.account_id, **email))
    await change_me(node, ana, MeChange(name=f"Ana {MARK}", about=f"about {MARK}", industry=True))
    room = await hub.group(ben, "open", ana)
    own = await hub.group(ana, "closed", ben)
    asked = await hub.group(ben, "closed")
    await members.join(node, ana, asked, f"let me in, {MARK}")
    await members.join(node, ben, await hub.group(ana, "closed"), "please")
    talk = await conversations.converse(node, ana, ["ben"])
    texts = [await hub.say(ana, channel, f"{MARK} {channel}") for channel in (room, own, talk) for _ in range(3)]
    await edit(hub, ana, room, texts[0], f"edited {MARK}")
    await react(hub, ben, room, texts[0])
    said = await hub.say(ben, room, f"@{MARK}-ana yes")
    await react(hub, ana, room, said)
    await react(hub, ana, room, texts[1], "💙")
    await reports.report(node, ben, Reported("abuse", text="she wrote this", channel=room, seq=texts[1]))
    await reports.report(node, ana, Reported("abuse", text=f"{MARK} reports", channel=room, seq=said))
    await reports.report(node, ben, Reported("other", text="mine, beside hers", channel=talk))
    await make_token(node, ana.account_id, f"token {MARK}")
    await invites.make_link(node, ana, own)

    def more(tx: Any) -> None:
        c, id, now = tx.connection, ana.account_id, tx.now
        insert_session(c, id, f"hash {MARK}", f"browser {MARK}", now)
        credentials.put_password(c, id, f"secret {MARK}", now)
        credentials.put_recovery(c, id, [recovery.hash_code("a code")], now)
        credentials.remember_device(c, id, f"device {MARK}", now)
        links.put_link(c, f"link {MARK}", "sign_in", id, expires_at=now + 1_000_000, now=now)
        policies.insert_consent(c, id, "rules", f"version {MARK}", now)
        for mine, theirs in ((id, ben.account_id), (ben.account_id, id)):
            c.execute(sa.text(f"INSERT INTO block (account_id, blocked_id, at) VALUES ({mine}, {theirs}, 1)"))
        c.execute(sa.text(f"INSERT INTO attestation VALUES (1, {id}, 'clinician', 1, 'letter {MARK}', 1, NULL)"))
        for who, answer in ((id, f'"{MARK}"'), (ben.account_id, f'{{"id":{ana.persona_id},"name":"{MARK}"}}')):
            key = repeats.Key(who, "key", "/path")
            repeats.claim(c, key, "hash", now)
            repeats.keep(c, key, 200, answer)

    await node.log.write(more)
    node.readings.note(ana.account_id, room, said)
    await node.readings.settle(ana.account_id)
    return ana, ben, room, talk


async def rows(hub: Community) -> dict[str, list[dict[str, Any]]]:
    """Everything in the database."""

    def read(connection: sa.Connection) -> dict[str, list[dict[str, Any]]]:
        return {
            table.name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
            for table in SQLModel.metadata.sorted_tables
        }

    return await hub.read(read)


def test_every_table_has_its_fate() -> None:
    tables = {*SQLModel.metadata.tables, "fulltext", "fulltext_at"}
    assert set(TABLES) == tables, "say in storage/belongings.py what becomes of it"


async def test_nothing_of_theirs_is_left_in_any_table(hub: Community) -> None:
    ana, ben, _, talk = await live(hub)
    before = await rows(hub)
    marked = {name for name, found in before.items() if MARK in str(found)}
    assert marked >= {"account", "persona", "credential", "session", "token", "device", "link", "consent", "membership",
                      "entry", "revision", "idempotency", "attestation"}  # fmt: skip
    going = await erase(hub, ana)
    after = await rows(hub)
    others = [row for row in after["entry"] if row["author_id"] == ben.persona_id and MARK in str(row["text"])]
    assert len(others) == 1, "what Ben said is his"
    after["entry"].remove(others[0])
    for name, found in after.items():
        assert MARK not in str(found), name
    theirs = {
        name for name, found in after.items()
        for row in found for key, value in row.items() if value == ana.account_id and key != "actor"
    }  # fmt: skip
    assert theirs == {"account", "persona", "membership", "erasure", "job", "entry"} - {"entry"}
    assert [(row["access_id"], row["state"], row["word"], row["joined_at"]) for row in after["membership"]
            if row["account_id"] == ana.account_id] == [(talk, "banned", None, 0)]  # fmt: skip
    (account,) = (row for row in after["account"] if row["id"] == ana.account_id)
    kept = {name: account[name] for name in ("state", "email", "lang", "industry", "kind", "role")}
    assert kept == dict.fromkeys(kept) | {"state": "erased", "industry": False, "role": "member"}
    assert not any(row["persona_id"] == ana.persona_id for row in after["reaction"])
    assert going["messages"] == 9
    assert (going["former_texts"], going["reactions"], going["tokens"], going["conversations"]) == (1, 2, 1, 1)
    assert await hub.read(lambda c: count_things(c, ana.account_id)) == dict.fromkeys(going, 0) | {"conversations": 1}
    (person,) = await hub.read(lambda c: read_people(c, ben.account_id, [ana.persona_id]))
    assert (person.name, person.gone, person.handle) == ("", True, stored.nobodys(ana.persona_id))
    (erasure,) = after["erasure"]
    assert erasure["done_at"] is not None
    assert [row["action"] for row in after["audit"] if row["action"].startswith("account.")] == [
        "account.erase", "account.erased",
    ]  # fmt: skip


async def test_every_reader_is_told_once_and_others_words_stay(hub: Community) -> None:
    ana, ben, room, _ = await live(hub)
    await erase(hub, ana)
    entries = await hub.entries(room)
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    own = [entry for entry in entries if entry.kind == "message" and entry.author == ana.persona_id]
    assert len(own) == 3
    assert all(entry.deleted and entry.text is None and entry.reactions is None for entry in own)
    told = [entry.target for entry in entries if entry.kind == "delete"]
    assert told == [entry.seq for entry in own]
    (said,) = (entry for entry in entries if entry.kind == "message" and entry.author == ben.persona_id)
    assert (said.text, said.reactions) == (f"@{MARK}-ana yes", None)
    assert said.rev == max(entry.seq for entry in entries if entry.kind == "reaction" and entry.target == said.seq)
    await carry_out(hub.node, ana.account_id)
    assert await hub.entries(room) == entries, "done again it changes nothing"
    assert {"reason": "ended", "account": ana.account_id} in await hub.revocations()


async def test_messages_may_stay_without_a_name(hub: Community) -> None:
    ana, _, room, _ = await live(hub)
    await erase(hub, ana, "keep_without_name")
    own = [entry for entry in await hub.entries(room, "message") if entry.author == ana.persona_id]
    assert [entry.text for entry in own] == [f"edited {MARK}", f"{MARK} {room}", f"{MARK} {room}"]
    found = await rows(hub)
    for name in (
        "persona",
        "account",
        "revision",
        "membership",
        "consent",
        "token",
        "session",
        "device",
        "idempotency",
    ):
        assert MARK not in str(found[name]), name
    assert not any(row["persona_id"] == ana.persona_id for row in found["reaction"])
    assert not any(row["account_id"] == ana.account_id for row in found["mention"])


async def test_a_handle_is_never_given_out_again(hub: Community) -> None:
    ana = await hub.member("ana-10")
    await erase(hub, ana)
    assert await hub.read(lambda c: read_person(c, "ana-10")) is None
    assert await hub.read(lambda c: accounts.is_handle_taken(c, "ana-10"))
    for twin in ("ana-10", "ana10", "analo"):
        assert await hub.read(partial(accounts.is_likeness_taken, likeness=likeness(twin))), twin
    assert not await hub.read(lambda c: accounts.is_likeness_taken(c, likeness("ana-11")))
    with pytest.raises(HubError, match="handle_reserved"):
        require_handle("gone-1f")
    made = await hub.node.log.write(
        lambda tx: accounts.insert_account(tx.connection, NewAccount("ana-10", "A"), tx.now)
    )
    assert made is None


async def test_only_who_is_there_is_erased_and_only_once(hub: Community) -> None:
    ana = await hub.member("ana")
    await erase(hub, ana)
    with pytest.raises(HubError, match="sign_in_ended"):
        await begin(hub.node, ana.account_id, "erase")
    await carry_out(hub.node, 12345)
    (line,) = Journal(hub.node.settings.journal).read()
    assert line[:2] == (ana.account_id, (ana.persona_id,))


# ---------------------------------------------------------------- groups


async def test_a_group_passes_to_its_longest_serving_moderator(hub: Community) -> None:
    ana, ben, cem, dee = await hub.members("ana", "ben", "cem", "dee")
    room = await hub.group(ana, "closed", ben, cem, dee)
    shared = await hub.group(ana, "closed", ben)
    for handle in ("cem", "dee"):
        await members.set_role(hub.node, ana, room, handle, "moderator")
    await members.set_role(hub.node, ana, shared, "ben", "owner")
    later = f"UPDATE membership SET joined_at = joined_at + 99999 WHERE account_id = {cem.account_id}"
    await hub.node.database.write(lambda c: c.execute(sa.text(later)).rowcount)
    await erase(hub, ana)
    roles = {one.handle: (await hub.stand(one, room)).standing.role for one in (ben, cem, dee)}
    assert roles == {"ben": "member", "cem": "moderator", "dee": "owner"}
    assert (await hub.roster(room))[-2:] == [(dee.persona_id, "role"), (ana.persona_id, "left")]
    assert (await hub.notices(dee))[-1] == {"about": {"channel": room}, "reason": "role", "role": "owner"}
    passed = [row["subject"] for row in (await rows(hub))["audit"] if row["action"] == "group.pass_on"]
    assert passed == [room], "the other one has an owner still"


async def test_a_group_without_moderators_passes_to_the_hubs_who_reads_nothing_of_before(hub: Community) -> None:
    ana, ben = await hub.members("ana", "ben")
    mod = await hub.member("mod", "moderator")
    await hub.member("admin", "admin")
    room = await hub.group(ana, "secret", ben)
    await hub.say(ben, room, "in confidence")
    await erase(hub, ana)
    stand = await hub.stand(mod, room)
    assert (stand.standing.state, stand.standing.role) == ("member", "owner")
    entries = await hub.entries(room, "message")
    assert stand.first(await hub.channel(room)) > entries[-1].seq
    assert (mod.persona_id, "joined") in await hub.roster(room)
    assert (mod.persona_id, "role") in await hub.roster(room)


async def test_where_nobody_can_take_a_group_it_is_nobodys(hub: Community) -> None:
    ana, ben = await hub.members("ana", "ben")
    room = await hub.group(ana, "open", ben)
    await erase(hub, ana)
    assert (await hub.stand(ben, room)).standing.role == "member"
    assert [row["subject"] for row in (await rows(hub))["audit"] if row["action"] == "group.ownerless"] == [room]


# ---------------------------------------------------------------- crashes, bytes


async def test_an_erasure_that_stops_anywhere_goes_on_and_does_nothing_twice(
    hub: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "SOME", 2)
    monkeypatch.setattr(stored, "WINDOW", 3)
    ana, _, room, _ = await live(hub)
    await begin(hub.node, ana.account_id, "erase")
    done = 0
    while True:  # each time it comes one piece further, as after a crash, and begins to look anew
        found = await hub.read(lambda c: stored.read_erasure(c, ana.account_id))
        assert found is not None
        piece = await hub.read(Erasing(found, [ana.persona_id]).next_piece)
        if piece is None:
            break
        await hub.node.log.write(piece)
        done += 1
    assert done > 12
    told = [entry.target for entry in await hub.entries(room) if entry.kind == "delete"]
    assert len(told) == len(set(told)) == 3
    await carry_out(hub.node, ana.account_id)
    found_rows = await rows(hub)
    assert str(found_rows).count(MARK) == 1, "in what Ben said"


async def test_no_byte_of_it_is_left_in_any_file_or_in_a_fresh_copy(tmp_path: Path) -> None:
    async with open_community(f"sqlite:///{tmp_path / 'hub.db'}", tmp_path) as hub:
        ana, ben, room, _ = await live(hub)
        await hub.say(ana, room, f"{MARK} " * 2_000)  # on pages of its own
        said = [entry.seq for entry in await hub.entries(room, "message") if entry.author == ben.persona_id]
        await edit(hub, ben, room, said[0], "yes")
        await hub.node.log.write(lambda tx: tx.connection.execute(sa.text("DELETE FROM revision")).rowcount and None)
        held = [path.name for path in tmp_path.iterdir() if MARK.encode() in path.read_bytes()]
        assert held, "it is on the disk"
        await erase(hub, ana)
        await back_up(hub.node.database, tmp_path / "copy", [])
        copy = gzip.decompress((tmp_path / "copy").read_bytes())
        assert b"yes" in copy
        with tarfile.open(fileobj=io.BytesIO(copy)) as packed:
            assert len(packed.getnames()) > 10
        assert MARK.encode() not in copy
        assert [path.name for path in tmp_path.iterdir() if MARK.encode() in path.read_bytes()] == []


async def test_a_piece_that_can_not_be_stored_is_tried_again(hub: Community, monkeypatch: pytest.MonkeyPatch) -> None:
    ana, _, room, _ = await live(hub)
    await begin(hub.node, ana.account_id, "erase")

    def fail(*_: object, **__: object) -> None:
        raise LookupError

    with monkeypatch.context() as broken:
        broken.setattr(erasures, "_empty", fail)
        with pytest.raises(LookupError):
            await carry_out(hub.node, ana.account_id)
    await carry_out(hub.node, ana.account_id)
    own = [entry for entry in await hub.entries(room, "message") if entry.author == ana.persona_id]
    assert all(entry.deleted for entry in own)

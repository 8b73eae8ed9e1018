"""Sequences of commands and faults that once made the product lose events, double them, or say that all is well.

Each is minimal, and stands under the rule that it broke.
"""

import os
import signal
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psutil
from tests.oracle.lab import ALL, Lab
from tests.oracle.memory import IMMENSE
from tests.oracle.world import AFTER_ARCHIVE, BEFORE_ARCHIVE, BEFORE_DOCUMENTS
from tests.support.lost_shard import lost_shard

DAY = timedelta(days=1)
OLD = 30 * DAY


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def day_index(lab: Lab, age: timedelta = timedelta()) -> str:
    return f"{lab.pipeline.alias}-{datetime.now(UTC) - age:%Y.%m.%d}"


# -- rule 1: no command deletes what is not proven to exist elsewhere ---------------------------------


def test_repair_keeps_the_only_copy_of_events_whose_driver_died(lab):
    lab.produce(2)
    lab.stream()
    lab.produce(4)
    lab.killed("stream", BEFORE_ARCHIVE)
    lab.stores.truncate()
    lab.run("repair")
    assert not lab.nowhere()


def test_repair_after_a_wrong_delete_keeps_the_documents(lab):
    events = lab.produce(4)
    lab.stream()
    lab.stores.truncate()
    lab.stores.drop_rows(events[:2])
    assert not lab.ledger().holds
    lab.run("repair")
    assert not lab.nowhere()


def test_repair_of_one_topic_leaves_the_other_topics_documents(lab):
    lab.produce(2)
    lab.stream()
    names = {"iceberg_table": lab.pipeline.table, "opensearch_index": lab.pipeline.alias}
    other = Lab.of(lab.pipeline.world, "repair_other_topic", **names)
    other.pipeline.table, other.pipeline.alias = lab.pipeline.table, lab.pipeline.alias
    other = Lab(other.pipeline)
    under_way = other.produce(3)
    other.killed("stream", BEFORE_ARCHIVE)
    lab.run("repair")
    assert set(under_way) <= other.now().documents.keys()


def test_repair_keeps_a_document_that_was_made_to_claim_another_event(lab):
    whole, gone = lab.produce(2, partition=0)
    lab.stream()
    lab.stores.drop_rows([gone])
    lab.stores.truncate()
    lab.stores.alter_documents([gone], offset=lab.memory.events[whole].offset)
    assert not lab.ledger().holds
    lab.run("repair")
    assert not lab.nowhere()
    assert whole in lab.now().documents


def test_repair_keeps_a_document_that_was_put_in_the_place_of_another_one(lab):
    whole, gone = lab.produce(2, partition=0)
    lab.stream()
    lab.stores.drop_rows([gone])
    lab.stores.truncate()
    lab.stores.replace_document(whole, gone)
    assert not lab.ledger().holds
    lab.run("repair")
    assert not lab.nowhere()
    assert whole in lab.now().documents


def two_shards(lab: Lab) -> None:
    """Let the coming days have two shards."""
    lab.pipeline.parameters["opensearch_shards"] = 2
    lab.must("setup")


def test_retention_deletes_no_day_of_which_a_shard_does_not_answer(lab):
    two_shards(lab)
    lab.produce(12, age=OLD, created=milliseconds(datetime.now(UTC) - OLD))
    lab.stream(hot_days=60)
    with lost_shard(lab.stores.search.client, day_index(lab, OLD)):
        lab.run("retention")
        assert day_index(lab, OLD) in lab.stores.search.indices()


def test_a_day_that_is_rehydrated_is_not_retired(lab):
    then = datetime.now(UTC) - 400 * DAY
    lab.produce(2, age=400 * DAY, created=milliseconds(then))
    lab.stream()
    lab.stores.truncate()
    lab.must(f"rehydrate --from {then - DAY:%Y-%m-%d} --to {then + DAY:%Y-%m-%d}")
    lab.must("retire", archive_years=1)
    assert lab.ledger().holds


# -- rule 2: a reader is complete, at one moment, or it raises ----------------------------------------


def test_aborted_transactions_reach_no_store(lab):
    lab.produce(2)
    lab.produce(3, outcome="abort")
    lab.produce(2, outcome="commit")
    lab.stream()
    assert not lab.untrue()
    assert lab.ledger().holds


def test_rehydration_beside_a_late_event_proves_what_it_copied(lab):
    lab.produce(4, age=OLD)
    lab.stream()
    lab.produce(1, age=OLD)
    since = f"--from {datetime.now(UTC) - OLD - DAY:%Y-%m-%d} --to {datetime.now(UTC) - OLD + DAY:%Y-%m-%d}"
    with lab.stopped(f"rehydrate {since}", BEFORE_DOCUMENTS) as rehydration:
        lab.must("stream", console=1)
    assert rehydration.result().ok, rehydration.result()


# -- rule 3: a commit is fenced by what it adds, whoever adds it --------------------------------------


def warm(lab: Lab) -> None:
    """Start the other machine, and let no client of this one give up while the other works."""
    lab.pipeline.parameters["retry_deadline_seconds"] = 300
    lab.must("setup", console=1)


def doubled(lab: Lab) -> dict[str, int]:
    return {uid: len(rows) for uid, rows in lab.now().archive.items() if len(rows) != 1}


def test_two_machines_with_checkpoints_of_their_own_write_each_event_once(lab, tmp_path):
    warm(lab)
    lab.produce(4)
    with lab.stopped("stream", BEFORE_DOCUMENTS):
        lab.must("stream", console=1, checkpoint_dir=tmp_path / "other")
    assert not doubled(lab)


def test_two_redrives_at_once_write_each_event_once(lab, tmp_path):
    warm(lab)
    lab.produce(1, bad=True)
    events = lab.produce(3)
    lab.stream()
    lab.stores.hold_back(events, lab.memory.values(events))
    with lab.stopped("redrive", BEFORE_DOCUMENTS):
        lab.must("redrive", console=1, checkpoint_dir=tmp_path / "other")
    assert not doubled(lab)


@contextmanager
def frozen(lab: Lab, console: int = 0):
    """The whole machine of a console stands still, as one that sleeps does."""
    process = psutil.Process(lab.pipeline.world.console(console).pid)
    family = [process, *process.children(recursive=True)]
    for each in family:
        os.kill(each.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for each in family:
            os.kill(each.pid, signal.SIGCONT)


def test_a_replay_that_was_frozen_past_its_lease_adds_nothing(lab):
    warm(lab)
    lab.pipeline.parameters["checkpoint_dir"] = f"s3://openlakes/checkpoints/{lab.pipeline.topic}"
    events = lab.produce(4)
    lab.stream()
    lab.stores.drop_rows(events[:2])
    with lab.stopped(f"replay {ALL}", BEFORE_DOCUMENTS), frozen(lab):
        lab.must(f"replay {ALL}", console=1)
    assert not doubled(lab)


def test_repair_takes_exact_copies_out_of_the_archive(lab):
    events = lab.produce(4)
    lab.stream()
    lab.stores.double_rows(events[:2])
    assert not lab.ledger().holds
    lab.run("repair")
    assert not doubled(lab)
    assert lab.ledger().holds


def test_repair_ends_what_waits_in_the_quarantine_and_is_archived(lab):
    lab.produce(1, bad=True)
    events = lab.produce(3)
    lab.stream()
    lab.stores.quarantine(events, lab.memory.values(events), "parse")
    assert not lab.ledger().holds
    lab.run("repair")
    assert lab.ledger().holds
    assert not lab.untrue()


def test_repair_takes_exact_copies_out_of_the_quarantine(lab):
    lab.produce(3, bad=True)
    lab.stream()
    lab.stores.lake.rewrite(lab.stores.lake.quarantine, lambda rows: [*rows, rows[0]])
    assert not lab.ledger().holds
    lab.must("repair")
    assert not lab.untrue()
    assert lab.ledger().holds
    assert "removed" in lab.audited()


def test_repair_writes_a_quarantined_record_anew_that_kafka_still_has(lab):
    value, place, name = lab.produce(3, bad=True)
    lab.stream()
    assert lab.ledger().holds
    lab.stores.alter_quarantined([value], value=f"forged {value}".encode(), key=b"other")
    lab.stores.alter_quarantined([place], position=5)
    lab.stores.alter_quarantined([name], topic="other")
    assert not lab.ledger().holds
    lab.must("repair")
    kept = {row["uid"]: row for row in lab.stores.lake.rows(lab.stores.lake.quarantine)}
    assert {uid: row["value"] for uid, row in kept.items()} == lab.memory.values([value, place, name])
    assert {(row["key"], row["position"], row["topic"]) for row in kept.values()} == {
        (b"oracle", 0, lab.pipeline.topic)
    }
    assert lab.ledger().holds
    assert "replaced" in lab.audited()


def test_a_forged_row_of_a_refused_record_does_not_end_its_waiting(lab):
    (refused,), (event,) = lab.produce(1, bad=True), lab.produce(1, age=OLD)
    lab.stream()
    lab.stores.insert_row(event, offset=lab.memory.events[refused].offset, log_id=refused)
    assert not lab.ledger().holds
    lab.run("repair")
    assert refused in lab.now().quarantine


def test_repair_mends_copies_on_rehydrated_days(lab):
    events = lab.produce(3, age=OLD)
    lab.stream()
    lab.must(f"rehydrate --from {datetime.now(UTC) - OLD - DAY:%Y-%m-%d} --to {datetime.now(UTC) - OLD + DAY:%Y-%m-%d}")
    lab.stores.alter_documents(events[:1], message="forged")
    lab.stores.move_documents(events[1:2], day_index(lab, OLD))
    assert not lab.ledger().holds
    lab.must("repair")
    assert not lab.untrue()
    assert lab.ledger().holds


def test_repair_deletes_copies_that_another_routing_led_to(lab):
    two_shards(lab)
    events = lab.produce(4)
    lab.stream()
    lab.stores.route_documents(events[:2])
    assert not lab.ledger().holds
    lab.run("repair")
    assert not lab.untrue()
    assert lab.ledger().holds


# -- rule 4: identity is the record's, and content is compared from Kafka on --------------------------


def test_a_recreated_topic_with_the_same_createtime_loses_nothing(lab, tmp_path):
    moment = milliseconds(datetime.now(UTC))
    lab.produce(2, created=moment)
    lab.stream()
    lab.stores.recreate_topic()
    lab.produce(2, created=moment)
    lab.run("stream", checkpoint_dir=tmp_path / "new")
    assert not lab.nowhere()


def test_a_value_that_moved_to_the_next_column_is_altered(lab):
    events = lab.produce(2, stack_trace="E: x")
    lab.stream()
    lab.stores.alter_rows(events[:1], stack_trace=None, trace_id="E: x")
    assert lab.untrue()
    assert not lab.ledger().holds


def test_a_row_and_a_document_that_name_another_topic_are_altered(lab):
    row, document, _ = lab.produce(3)
    lab.stream()
    lab.stores.alter_rows([row], topic="other")
    lab.stores.alter_documents([document], topic="other", topic_id="other")
    assert not lab.ledger().holds
    lab.run("repair")
    lab.run("rescue")
    lab.run("repair")
    assert lab.ledger().holds
    assert {held["topic"] for held in lab.stores.lake.rows(lab.stores.lake.archive)} == {lab.pipeline.topic}


def test_a_field_that_no_column_holds_is_altered(lab):
    events = lab.produce(2)
    lab.stream()
    lab.stores.search.client.indices.put_mapping(index=day_index(lab), body={"properties": {"note": {"type": "text"}}})
    lab.stores.alter_documents(events[:1], note="of somebody else")
    assert not lab.ledger().holds
    lab.must("repair")
    assert lab.ledger().holds
    assert not any("note" in document for document in lab.stores.search.documents())


def test_a_document_whose_time_alone_was_altered_is_written_anew(lab):
    events = lab.produce(2)
    lab.stream()
    lab.stores.alter_documents(events[:1], timestamp=(datetime.now(UTC) - 3 * DAY).isoformat())
    assert not lab.ledger().holds
    lab.must("repair")
    assert not lab.untrue()


def test_content_that_both_stores_have_alike_is_compared_with_kafka(lab):
    events = lab.produce(2)
    lab.stream()
    lab.stores.alter_rows(events[:1], message="forged")
    lab.stores.alter_documents(events[:1], message="forged")
    assert lab.untrue()
    assert not lab.ledger().holds


def test_a_refused_document_that_is_there_is_compared(lab):
    lab.produce(1, bad=True)
    events = lab.produce(3)
    lab.stream()
    lab.stores.quarantine(events[:1], lab.memory.values(events), "hot")
    assert lab.ledger().holds
    lab.stores.alter_documents(events[:1], message="forged")
    assert not lab.ledger().holds
    lab.must("repair")
    assert not lab.untrue()


def test_a_quarantined_value_that_was_altered_beyond_kafka_is_no_ledger_that_holds(lab):
    lab.produce(2, bad=True)
    lab.stream()
    lab.stores.truncate()
    assert lab.ledger().holds
    lake = lab.stores.lake
    lake.rewrite(lake.quarantine, lambda rows: [row | {"value": b"forged"} for row in rows])
    assert not lab.ledger().holds


# -- rule 5: a ledger is taken up to a position -------------------------------------------------------


def test_records_that_no_stream_has_read_yet_are_waiting(lab):
    lab.produce(2)
    lab.stream()
    lab.produce(3)
    ledger = lab.ledger()
    assert ledger.holds, ledger
    assert ledger.names("waiting")


def test_an_unread_record_blocks_no_repair(lab):
    events = lab.produce(2)
    lab.stream()
    lab.stores.drop_documents(events[:1])
    lab.produce(1)
    lab.run("repair")
    assert events[0] in lab.now().documents


def test_records_that_kafka_dropped_unread_are_lost_by_name(lab):
    lab.produce(2)
    lab.stream()
    unread = lab.produce(2)
    lab.stores.truncate()
    ledger = lab.ledger()
    assert not ledger.holds
    assert {lab.memory.events[uid].coordinates for uid in unread} <= ledger.named


def test_unread_records_of_partitions_without_a_batch_are_lost_by_name(lab):
    lab.produce(2, partition=0)
    lab.stream()
    lab.stores.add_partitions(3)
    unread = lab.produce(2, partition=1) + lab.produce(2, partition=2)
    lab.stores.truncate()
    ledger = lab.ledger()
    assert not ledger.holds
    assert {lab.memory.events[uid].coordinates for uid in unread} <= ledger.named


def test_a_row_where_kafka_has_no_record_hides_no_lost_one(lab):
    events = lab.produce(3, age=OLD, partition=0, outcome="commit")
    (aborted,) = lab.produce(1, partition=0, outcome="abort")
    lab.stream()
    assert lab.ledger().holds
    offset = lab.memory.events[aborted].offset
    lab.stores.insert_row(events[0], offset=offset, message="made up")
    ledger = lab.ledger()
    assert not ledger.holds
    assert (0, offset) in ledger.named
    lab.must("repair")
    assert not doubled(lab)
    assert "made up" in str(lab.now().quarantine[events[0]])
    assert lab.ledger().holds

    lab.stores.insert_row(events[0], offset=offset, message="made up again")
    lab.stores.drop_rows(events[1:2])
    lab.stores.truncate()
    ledger = lab.ledger()
    assert {(0, offset), lab.memory.events[events[1]].coordinates} <= ledger.named
    lab.run("repair")
    assert lab.ledger().named == {lab.memory.events[events[1]].coordinates}


def test_a_table_that_was_rolled_back_is_filled_again(lab):
    lab.produce(2)
    lab.stream()
    lab.produce(3)
    lab.stream()
    lab.stores.lake.roll_back(lab.stores.lake.archive)
    ledger = lab.ledger(checkpoint_dir="s3://openlakes/checkpoints/none")
    assert not ledger.holds
    assert ledger.names("missing")
    lab.must("stream")
    assert not lab.untrue()
    assert lab.ledger().holds


def test_a_batch_that_the_quarantine_lacks_waits_whatever_is_committed_after_it(lab):
    lab.produce(2, age=2 * DAY)
    lab.produce(1, bad=True)
    lab.stream()
    lab.produce(2, age=2 * DAY)
    lab.produce(1, bad=True)
    lab.stream()
    lab.stores.lake.roll_back(lab.stores.lake.quarantine)
    lab.must("maintain")
    ledger = lab.ledger()
    assert not ledger.holds
    assert ledger.names("missing")
    lab.must("stream")
    assert not lab.untrue()
    assert lab.ledger().holds


def test_a_branch_that_was_reset_is_filled_again(lab):
    lab.produce(2)
    lab.stream()
    assert lab.ledger().holds
    then = lab.stores.lake.head()
    lab.produce(3)
    lab.stream()
    lab.stores.lake.reset(then)
    waiting = lab.produce(1)
    ledger = lab.ledger()
    assert not ledger.holds
    assert ledger.names("missing") and ledger.names("waiting in Kafka: 1")
    lab.must("stream")
    assert set(waiting) <= lab.now().archive.keys()
    assert not lab.untrue()
    assert lab.ledger().holds


def test_what_a_rollback_brought_back_excuses_no_loss(lab):
    lab.produce(2, age=400 * DAY)
    younger = lab.produce(2, age=300 * DAY)
    lab.stream()
    lab.stores.truncate()
    lab.must("retire", archive_years=1)
    assert lab.ledger().holds
    lab.stores.lake.roll_back(lab.stores.lake.archive)
    lab.stores.drop_rows(younger)
    ledger = lab.ledger()
    assert not ledger.holds
    assert {lab.memory.events[uid].coordinates for uid in younger} <= ledger.named


def test_seals_that_were_rolled_back_are_missed(lab):
    lab.produce(1)
    lab.stream()
    assert lab.ledger().holds
    events = lab.produce(4, age=OLD)
    lab.stream()
    lab.stores.truncate()
    assert lab.ledger().holds
    lab.stores.lake.roll_back(lab.stores.lake.audit)
    lab.stores.alter_rows(events[:1], message="forged")
    assert not lab.ledger().holds


def test_an_alias_that_searches_one_shard_is_no_ledger_that_holds(lab):
    two_shards(lab)
    lab.produce(12)
    lab.stream()
    add = {"add": {"index": day_index(lab), "alias": lab.pipeline.alias, "search_routing": "1"}}
    lab.stores.search.client.indices.update_aliases(body={"actions": [add]})
    assert lab.untrue()
    assert not lab.ledger().holds
    lab.must("setup")
    assert not lab.untrue()


def test_the_stream_creates_a_template_that_is_missing(lab):
    lab.stores.search.client.indices.delete_index_template(name=lab.pipeline.alias)
    events = lab.produce(2)
    lab.stream()
    assert set(events) <= lab.now().documents.keys()


def test_a_reindexed_copy_behind_the_alias_is_no_ledger_that_holds(lab):
    lab.produce(2)
    lab.stream()
    body = {"source": {"index": day_index(lab)}, "dest": {"index": f"{day_index(lab)}-copy"}}
    lab.stores.search.client.indices.refresh(index=day_index(lab))
    lab.stores.search.client.reindex(body=body, refresh=True)
    assert lab.untrue()
    assert not lab.ledger().holds


def test_a_day_taken_out_of_the_alias_is_no_ledger_that_holds(lab):
    lab.produce(2)
    lab.stream()
    remove = {"remove": {"index": day_index(lab), "alias": lab.pipeline.alias}}
    lab.stores.search.client.indices.update_aliases(body={"actions": [remove]})
    assert lab.untrue()
    assert not lab.ledger().holds


def test_a_replay_after_a_rehydration_shows_each_event_once(lab):
    lab.produce(2, age=OLD, created=milliseconds(datetime.now(UTC) - OLD))
    lab.stream()
    lab.must("retention")
    lab.must(f"rehydrate --from {datetime.now(UTC) - OLD - DAY:%Y-%m-%d} --to {datetime.now(UTC) - OLD + DAY:%Y-%m-%d}")
    lab.run(f"replay {ALL}")
    assert not lab.untrue()


# -- rule 6: nothing stops for ever -------------------------------------------------------------------


def test_a_backfill_makes_no_day_hot_that_retention_would_delete(lab):
    for age in (20, 21, 22):
        lab.produce(1, age=age * DAY, created=milliseconds(datetime.now(UTC) - age * DAY))
    lab.stream()
    assert not lab.stores.search.indices()
    assert not lab.untrue()


def test_immense_attributes_do_not_stop_the_stream(lab):
    lab.produce(4)
    lab.produce(12, blob="x" * IMMENSE)
    assert lab.run("stream").ok
    lab.memory.settle()
    assert not lab.untrue()


def test_a_stream_that_kafka_left_behind_says_how_to_go_on(lab, tmp_path):
    lab.produce(2)
    lab.stream()
    lab.produce(2)
    lab.stores.truncate()
    behind = lab.run("stream")
    assert f"move {lab.pipeline.parameters['checkpoint_dir']} away" in behind.text
    assert "Traceback" not in behind.err
    read = lab.produce(2)
    lab.must("stream", checkpoint_dir=tmp_path / "new")
    assert set(read) <= lab.now().archive.keys()


def test_a_live_stream_ends_while_the_producer_goes_on(lab):
    over = threading.Event()

    def produce_on() -> None:
        while not over.wait(0.2):
            lab.produce(10)

    producer = threading.Thread(target=produce_on)
    producer.start()
    live = {"streaming_mode": "live", "streaming_duration_seconds": 5, "trigger_seconds": 0.1}
    began = time.monotonic()
    running = lab.pipeline.start("stream", **live)
    while not running.ended and time.monotonic() - began < 45:
        time.sleep(0.2)
    in_time = running.ended
    over.set()
    producer.join()
    assert running.result().ok
    assert in_time


def test_a_late_event_into_a_closed_day_does_not_stop_the_stream(lab):
    lab.produce(2, age=3 * DAY)
    lab.stream()
    lab.must("retention", hot_read_only="true")
    lab.produce(1, age=3 * DAY)
    assert lab.run("stream", hot_read_only="true").ok
    assert not lab.nowhere()


def test_repair_puts_a_document_back_from_another_days_index(lab):
    events = lab.produce(2)
    lab.produce(1, age=2 * DAY)
    lab.stream()
    lab.stores.move_documents(events[:1], day_index(lab, 2 * DAY))
    assert not lab.ledger().holds
    lab.must("repair")
    assert lab.now().documents[events[0]][0]["index"] == day_index(lab)


def test_repair_puts_a_document_back_that_was_given_another_day(lab):
    events = lab.produce(2)
    lab.produce(1, age=2 * DAY)
    lab.stream()
    other = datetime.now(UTC) - 2 * DAY
    lab.stores.move_documents(events[:1], day_index(lab, 2 * DAY), timestamp=other.isoformat())
    assert not lab.ledger().holds
    lab.must("repair")
    assert not lab.untrue()


def test_a_replay_of_one_partition_leaves_the_others(lab):
    there, elsewhere = lab.produce(2, partition=0), lab.produce(2, partition=1)
    lab.stream()
    lab.stores.drop_rows([*there, *elsewhere])
    lab.must("replay --from 0:0 --to 1000000")
    archived = lab.now().archive.keys()
    assert set(there) <= archived
    assert not set(elsewhere) & archived


def test_a_day_whose_only_shard_is_away_is_a_message(lab):
    lab.produce(2)
    lab.stream()
    with lost_shard(lab.stores.search.client, day_index(lab), shard=0):
        ledger, repair = lab.ledger(), lab.run("repair")
    assert ledger.result.err.count(f"A shard of {day_index(lab)} is away") == 1
    assert not ledger.holds and not repair.ok
    assert "Traceback" not in ledger.result.err + repair.err


def test_a_data_file_that_is_gone_is_a_message(lab):
    lab.produce(2)
    lab.stream()
    table = lab.stores.lake.table(lab.stores.lake.archive)
    for task in table.scan().plan_files():
        table.io.delete(task.file.file_path)
    ledger, replay = lab.ledger(), lab.run(f"replay {ALL}")
    assert not ledger.holds and not replay.ok
    assert "The storage lacks s3://" in ledger.result.err
    assert "Traceback" not in ledger.result.err + replay.err


# -- rule 7: memory is bounded by bytes, cost by what is new; an audit explains what it names ----------


def a_moment() -> str:
    """A time between what was committed before and what will be."""
    time.sleep(1)
    moment = datetime.now(UTC)
    time.sleep(1)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}"


def test_a_retirement_explains_no_row_that_was_gone_before(lab):
    events = lab.produce(4, age=400 * DAY)
    lab.stream()
    lab.stores.truncate()
    then = a_moment()
    lab.stores.drop_rows(events[:1])
    lab.must("retire", archive_years=1)
    assert "LOST" in lab.must(f"audit --at {then}").text


def test_a_retirement_killed_before_its_last_entry_is_ended_by_the_next(lab):
    lab.produce(2, age=400 * DAY)
    lab.stream()
    lab.stores.truncate()
    then = a_moment()
    lab.killed("retire", AFTER_ARCHIVE, archive_years=1)
    lab.must("retire", archive_years=1)
    assert not lab.now().archive
    assert "LOST" not in lab.must(f"audit --at {then}").text


# -- what works, and shall go on working --------------------------------------------------------------


def test_a_stream_killed_behind_its_commit_writes_each_event_once(lab):
    lab.produce(3)
    lab.killed("stream", AFTER_ARCHIVE)
    lab.stream()
    assert not lab.untrue()
    assert lab.ledger().holds


def test_new_partitions_are_read_from_their_beginning(lab):
    lab.produce(2)
    lab.stream()
    lab.stores.add_partitions(3)
    lab.produce(2, partition=2)
    lab.stream()
    assert not lab.untrue()
    assert lab.ledger().holds

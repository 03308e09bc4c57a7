-- What goes with time (coordinator/retention.ts) is found by an index, also in books of five years.

-- without it every attempt that goes with its job has all jobs looked through
create index jobs_attempt on jobs (attempt_id) where attempt_id is not null;
create index attempts_log on attempts (ended_at) where stderr_tail is not null;
create index source_messages_ended on source_messages (ended_at) where ended_at is not null;

-- thousands of messages for one media server keep no other one waiting
drop index source_messages_due;
create index source_messages_due on source_messages (source_id, next_at, id) where next_at is not null;

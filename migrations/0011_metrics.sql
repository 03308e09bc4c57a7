-- What a monitoring program counts with. Its counters only ever grow: rows that go with a library, an original that is put back or
-- another coordinator must not make one fall, because a fall is taken for a restart, and everything is counted once more.
-- Deltas are appended and folded now and then, as with job_deltas: rows updated in place, in another order by each transaction,
-- would wait for each other in a circle. The labels `a` and `b` are from lists of the program, never a name that a person typed.
create table metric_deltas (
  id   bigint generated always as identity primary key,
  name text not null check (length(name) <= 40),
  a    text not null check (length(a) <= 60),
  b    text not null check (length(b) <= 60),
  n    double precision not null check (n >= 0)
);
create table metric_counts (
  name text not null,
  a    text not null,
  b    text not null,
  n    double precision not null,
  primary key (name, a, b)
);

-- the smallest bucket that holds so many seconds; read together they are the histogram of whole runs
create function metric_bucket(seconds double precision) returns text immutable language sql as $$
  select case when seconds <= 60 then '60' when seconds <= 300 then '300' when seconds <= 900 then '900' when seconds <= 1800 then '1800'
              when seconds <= 3600 then '3600' when seconds <= 7200 then '7200' when seconds <= 14400 then '14400'
              when seconds <= 28800 then '28800' else '+Inf' end
$$;

create function metric_attempt() returns trigger language plpgsql as $$
declare
  coder text := left(coalesce(new.encoder, ''), 60);
  seconds double precision := greatest(0, extract(epoch from new.ended_at - new.started_at));
  film bigint;
begin
  if new.state = 'succeeded' then
    select f.duration_ms into film from jobs j join media_files f on f.id = j.file_id where j.id = new.job_id;
    insert into metric_deltas (name, a, b, n) values
      ('job_seconds', coder, '', seconds), ('job_bucket', coder, metric_bucket(seconds), 1),
      ('media_seconds', coder, '', greatest(0, coalesce(film, 0)) / 1000.0);
  elsif new.state = 'rejected' and jsonb_typeof(new.verdict -> 'checks') = 'array' then
    insert into metric_deltas (name, a, b, n)
    select 'check_failed', left(c ->> 'name', 60), '', 1 from jsonb_array_elements(new.verdict -> 'checks') c
     where c ->> 'passed' = 'false' and c ->> 'name' is not null limit 50;
  end if;
  return null;
end $$;
create trigger attempts_metric after update on attempts for each row
  when (old.ended_at is null and new.ended_at is not null) execute function metric_attempt();

create function metric_job() returns trigger language plpgsql as $$
begin
  insert into metric_deltas (name, a, b, n)
  values ('job_ended', case when new.state = 'failed' then 'failed' else coalesce(new.outcome, 'kept') end, left(coalesce(new.reason ->> 'code', ''), 60), 1);
  if new.state = 'completed' and new.outcome = 'replaced' and new.output_bytes is not null then
    insert into metric_deltas (name, a, b, n) values
      ('source_bytes', '', '', new.input_bytes), ('output_bytes', '', '', new.output_bytes),
      ('saved_bytes', '', '', greatest(0, new.input_bytes - new.output_bytes));
  end if;
  return null;
end $$;
create trigger jobs_metric after update on jobs for each row
  when (old.state is distinct from new.state and new.state in ('completed', 'failed')) execute function metric_job();

create function metric_message() returns trigger language plpgsql as $$
begin
  insert into metric_deltas (name, a, b, n)
  select 'source_told', s.kind || '-' || s.id, new.state, 1 from sources s where s.id = new.source_id;
  return null;
end $$;
create trigger source_messages_metric after update on source_messages for each row
  when (old.state is distinct from new.state and new.state in ('confirmed', 'unconfirmed', 'dropped')) execute function metric_message();

-- what was before, as far as the books still say it
insert into metric_counts (name, a, b, n)
select 'job_ended', case when state = 'failed' then 'failed' else coalesce(outcome, 'kept') end, left(coalesce(reason ->> 'code', ''), 60), count(*)
  from jobs where state in ('completed', 'failed') group by 2, 3;
insert into metric_counts (name, a, b, n)
select v.name, '', '', v.n from (select sum(bytes_in) i, sum(bytes_out) o from stats_daily) s
 cross join lateral (values ('source_bytes', s.i), ('output_bytes', s.o), ('saved_bytes', greatest(0, s.i - s.o))) v(name, n) where s.i is not null;
insert into metric_counts (name, a, b, n)
select 'job_bucket', left(coalesce(encoder, ''), 60), metric_bucket(greatest(0, extract(epoch from ended_at - started_at))), count(*)
  from attempts where state = 'succeeded' group by 2, 3;
insert into metric_counts (name, a, b, n)
select 'job_seconds', left(coalesce(encoder, ''), 60), '', sum(greatest(0, extract(epoch from ended_at - started_at)))
  from attempts where state = 'succeeded' group by 2;
insert into metric_counts (name, a, b, n)
select 'media_seconds', left(coalesce(a.encoder, ''), 60), '', sum(coalesce(f.duration_ms, 0)) / 1000.0
  from attempts a join jobs j on j.id = a.job_id join media_files f on f.id = j.file_id where a.state = 'succeeded' group by 2;

-- the last whole scan of each library
create index scans_whole on scans (library_id, id desc) where state = 'completed';

-- like all that is written, by the one that leads: a coordinator that was replaced must not count what it did not do
do $$
declare t text;
begin
  foreach t in array array['metric_deltas', 'metric_counts'] loop
    execute format('create trigger %I before insert or update or delete on %I for each statement execute function assert_term()', t || '_term', t);
  end loop;
end $$;

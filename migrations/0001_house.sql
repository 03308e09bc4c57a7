-- The books of a cluster. Words as in ARCHITECTURE.md. Every table that the coordinator writes is fenced by its term:
-- a connection must carry `codecshift.term`, and the term must still be the current one, or the statement fails (CS001).

create table coordinator (
  one         boolean primary key default true check (one),
  term        bigint not null default 0 unique,      -- a key column: growing it needs FOR UPDATE, which FOR KEY SHARE blocks
  holder      text,                                  -- node id
  session     uuid,                                  -- one per process start, so a restarted holder takes a new term
  url         text,
  lease_until timestamptz not null default '-infinity'
);
insert into coordinator default values;

create function assert_term() returns trigger language plpgsql as $$
declare t text := current_setting('codecshift.term', true);
begin
  perform 1 from coordinator where term = nullif(t, '')::bigint for key share;
  if not found then
    raise exception 'this coordinator was replaced (its term is %)', coalesce(nullif(t, ''), 'none') using errcode = 'CS001';
  end if;
  return null;
end $$;

create table nodes (
  id           text primary key check (length(id) between 1 and 128),
  name         text not null check (length(name) between 1 and 63),
  version      text not null,
  platform     text not null,
  standing     text not null default 'pending' check (standing in ('pending', 'approved', 'revoked')),
  draining     boolean not null default false,
  encoders     jsonb not null default '[]',           -- what detection found, with the reason for each that fails
  hardware     jsonb not null default '{}',
  slots        smallint not null default 1 check (slots between 0 and 64),
  classes      smallint[] not null default '{}',
  joined_at    timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),    -- never indexed: keeps heartbeats HOT
  metrics      jsonb not null default '{}'
) with (fillfactor = 50);

create table roots (
  id         uuid primary key,                        -- the id in <root>/.codecshift/root.json
  created_at timestamptz not null default now()
);

-- where a node has a root; a path of one node is never used on another
create table node_roots (
  node_id    text not null references nodes(id) on delete cascade,
  root_id    uuid not null references roots(id) on delete cascade,
  path       text not null,
  writable   boolean not null,
  problem    text,                                    -- a reason code while the root can't be used there
  checked_at timestamptz not null default now(),
  primary key (node_id, root_id)
);

create table libraries (
  id            int generated always as identity primary key,
  name          text not null unique check (length(name) between 1 and 200),
  source        text not null default 'folder' check (source in ('folder')),
  root_id       uuid not null references roots(id),
  folder        text not null default '',             -- below the root, '/' separators, '' is the root itself
  profile       jsonb not null,
  priority      smallint not null default 1 check (priority between 0 and 2),
  enabled       boolean not null default true,
  problem       jsonb,                                -- why the last scan could not run, as a reason
  created_at    timestamptz not null default now(),
  last_scan_at  timestamptz,
  unique (root_id, folder)
);

create table scans (
  id          bigint generated always as identity primary key,
  library_id  int not null references libraries(id) on delete cascade,
  state       text not null default 'running' check (state in ('running', 'completed', 'failed', 'cancelled')),
  started_at  timestamptz not null default now(),
  ended_at    timestamptz,
  seen        int not null default 0,
  added       int not null default 0,
  changed     int not null default 0,
  moved       int not null default 0,
  missing     int not null default 0,
  problems    int not null default 0,
  inspected   int not null default 0,
  reason      jsonb,
  check ((state = 'running') = (ended_at is null))
);
create unique index scans_one_running on scans (library_id) where state = 'running';
create index scans_recent on scans (library_id, id desc);

create table media_files (
  id           bigint generated always as identity primary key,
  library_id   int not null references libraries(id) on delete cascade,
  -- below the library's root, '/' separators; for a name that is not UTF-8 a readable stand-in. Byte order, so that the
  -- order is the same on every server and in a merge with a directory walk
  path         text collate "C" not null,
  title        text not null,                         -- what a person calls it: "Metropolis", "The Lucy Show"
  detail       text not null default '',              -- "1927", "S02 E14"
  size_bytes   bigint not null,
  mtime_ms     bigint not null,
  inode        text not null default '',
  links        int not null default 1,
  hash         text,                                  -- content fingerprint; null until inspected
  container    text, codec text, width int, height int, duration_ms bigint, bitrate bigint,
  bit_depth    smallint, hdr text,
  probe        jsonb,
  status       text not null default 'new'
               check (status in ('new', 'settling', 'queued', 'done', 'kept', 'skipped', 'failed', 'missing')),
  reason       jsonb,                                 -- every file always has a reason in words
  expected_bytes bigint,                              -- size it would have when converted, when there is something to win
  original_bytes bigint,                              -- size before conversion, once converted
  made_hash    text,                                  -- fingerprint of our own delivered output
  excluded_by  text,                                  -- a person said: leave this file alone
  created_at   timestamptz not null default now(),
  updated_at   timestamptz not null default now(),
  unique (library_id, path)
);
create index media_files_recent on media_files (library_id, id desc);
create index media_files_status on media_files (status, id desc);
create index media_files_library_status on media_files (library_id, status, id desc);
create index media_files_hash on media_files (hash) where hash is not null;
create index media_files_made on media_files (made_hash) where made_hash is not null;
create index media_files_wins on media_files (library_id, (size_bytes - expected_bytes) desc, id desc) where status = 'queued';
create index media_files_title on media_files (lower(title) text_pattern_ops, id);

create table jobs (
  id               bigint generated always as identity primary key,
  file_id          bigint not null references media_files(id) on delete cascade,
  library_id       int not null references libraries(id) on delete cascade,
  class            smallint not null default 0,       -- core/job.ts says which nodes may run it
  priority         smallint not null default 1 check (priority between 0 and 2),
  rank             bigint not null default 0,         -- lower first inside a priority; minus the expected saving, or a pin
  state            text not null default 'available'
                   check (state in ('available', 'running', 'completed', 'failed', 'cancelled', 'held')),
  outcome          text check (outcome in ('replaced', 'kept', 'restored')),
  retry_at         timestamptz,                       -- available, but not before; such rows are outside the claim index
  failures         smallint not null default 0,
  max_failures     smallint not null default 3,
  attempt_id       bigint,                            -- the fence: only this attempt may change the job
  node_id          text references nodes(id),
  lease_until      timestamptz,
  cancel_requested boolean not null default false,
  paused           boolean not null default false,
  plan             jsonb not null,
  profile          jsonb not null,
  input_bytes      bigint not null,
  expected_bytes   bigint not null,
  output_bytes     bigint,
  reason           jsonb,
  created_at       timestamptz not null default now(),
  started_at       timestamptz,
  finished_at      timestamptz,
  check ((state = 'running') = (node_id is not null and lease_until is not null and attempt_id is not null)),
  check ((state in ('completed', 'failed', 'cancelled')) = (finished_at is not null)),
  check ((state = 'completed') = (outcome is not null)),
  check (retry_at is null or state = 'available'),
  check (state <> 'held' or reason is not null)
);
create sequence job_pins;                             -- a later pin goes before (or behind) an earlier one
create unique index jobs_live on jobs (file_id)                       where state in ('available', 'running', 'held');
-- A claim reads the head of each (class, library) that may run now: one index descent each. A library whose keepers are
-- away costs nothing, where a filter over (class, priority) would read past all of its jobs.
create index jobs_claim       on jobs (class, library_id, priority, rank, id) where state = 'available' and retry_at is null;
create index jobs_order       on jobs (priority, rank, id)            where state = 'available';
create index jobs_library     on jobs (library_id, priority, rank, id) where state = 'available';
create index jobs_retry       on jobs (retry_at)                      where state = 'available' and retry_at is not null;
create index jobs_lease       on jobs (lease_until)                   where state = 'running';
create index jobs_held        on jobs (id desc)                       where state = 'held';
create index jobs_finished    on jobs (state, finished_at desc, id desc) where state in ('completed', 'failed', 'cancelled');
create index jobs_history     on jobs (finished_at desc, id desc)     where state in ('completed', 'failed', 'cancelled');
create index jobs_file        on jobs (file_id, id desc);

create table attempts (
  id            bigint generated always as identity primary key,
  job_id        bigint not null references jobs(id) on delete cascade,
  term          bigint not null,
  node_id       text not null,
  keeper_id     text,
  number        smallint not null,
  state         text not null default 'running'
                check (state in ('running', 'delivering', 'verifying', 'replacing', 'succeeded', 'failed', 'lost', 'rejected', 'cancelled')),
  encoder       text,
  command       jsonb,                                -- the exact argument array, kept for people who ask
  stderr_tail   text check (length(stderr_tail) <= 40000),
  output_bytes  bigint, sha256 text,
  output_probe  jsonb,
  verdict       jsonb,
  reason        jsonb,
  stats         jsonb not null default '{}',
  started_at    timestamptz not null default now(),
  encoded_at    timestamptz,
  ended_at      timestamptz,
  check ((state in ('succeeded', 'failed', 'lost', 'rejected', 'cancelled')) = (ended_at is not null))
);
create index attempts_job on attempts (job_id, id desc);
create index attempts_open on attempts (id) where ended_at is null;
alter table jobs add constraint jobs_attempt foreign key (attempt_id) references attempts(id) deferrable initially deferred;

-- originals waiting in a trash until their retention ends
create table originals (
  id          bigint generated always as identity primary key,
  -- ids only: the trash outlives a library that was removed, and with it the job and the attempt
  attempt_id  bigint not null unique,
  job_id      bigint not null,
  file_id     bigint references media_files(id) on delete set null,
  title       text not null default '',
  root_id     uuid not null references roots(id),
  path        text not null,                          -- where it was, below the root
  trash_path  text not null,                          -- where it waits, below the root
  size_bytes  bigint not null,
  fingerprint jsonb not null,
  state       text not null default 'kept' check (state in ('kept', 'restored', 'expired')),
  created_at  timestamptz not null default now(),
  expires_at  timestamptz not null,
  ended_at    timestamptz,
  check ((state = 'kept') = (ended_at is null))
);
create index originals_due on originals (expires_at) where state = 'kept';
create index originals_file on originals (file_id, id desc);

create table stats_daily (
  day date not null, node_id text not null,
  replaced int not null default 0, kept int not null default 0, failed int not null default 0,
  bytes_in bigint not null default 0, bytes_out bigint not null default 0,
  media_ms bigint not null default 0, busy_ms bigint not null default 0,
  primary key (day, node_id)
);

create table settings (
  key        text primary key check (key ~ '^[a-z][A-Za-z0-9_.]{0,63}$'),
  value      jsonb,                                    -- null: back to the default; the row stays so that `version` only grows
  version    int not null default 1,
  updated_at timestamptz not null default now(),
  updated_by text not null
);
create table settings_history (
  id         bigint generated always as identity primary key,
  key        text not null,
  old_value  jsonb, new_value jsonb,
  at         timestamptz not null default now(),
  by         text not null,
  via        text not null default 'page'
);
create index settings_history_recent on settings_history (id desc);

create table activity (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  term bigint not null default 0,
  kind text not null,
  severity smallint not null default 0 check (severity between 0 and 2),   -- 0 note, 1 needs a look, 2 failed
  node_id text, library_id int, job_id bigint, file_id bigint,
  by text,                                            -- the person, when a person did it
  params jsonb not null default '{}'
);
create index activity_library on activity (library_id, id) where library_id is not null;
create index activity_job on activity (job_id, id) where job_id is not null;
create index activity_file on activity (file_id, id) where file_id is not null;
create index activity_look on activity (id desc) where severity > 0;

-- Counters: append-only deltas, folded now and then. A counter row updated in place serialises every claim
-- (research: 1304 to 269 jobs/s at 32 sessions).
create table job_deltas (id bigint generated always as identity primary key, state text not null, n bigint not null);
create table job_counts (state text primary key, n bigint not null);
create table file_deltas (id bigint generated always as identity primary key, library_id int not null, status text not null, codec text not null,
                          n bigint not null, bytes bigint not null, expected bigint not null, original bigint not null);
create table file_counts (library_id int not null, status text not null, codec text not null,
                          n bigint not null, bytes bigint not null, expected bigint not null, original bigint not null,
                          primary key (library_id, status, codec));

create function jobs_delta() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into job_deltas (state, n) select state, count(*) from newt group by 1;
  elsif tg_op = 'DELETE' then
    insert into job_deltas (state, n) select state, -count(*) from oldt group by 1;
  else
    insert into job_deltas (state, n)
    select state, sum(d) from (select state, -1 d from oldt union all select state, 1 from newt) x group by 1 having sum(d) <> 0;
  end if;
  return null;
end $$;
create trigger jobs_delta_i after insert on jobs referencing new table as newt for each statement execute function jobs_delta();
create trigger jobs_delta_u after update on jobs referencing old table as oldt new table as newt for each statement execute function jobs_delta();
create trigger jobs_delta_d after delete on jobs referencing old table as oldt for each statement execute function jobs_delta();

create function files_delta() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into file_deltas (library_id, status, codec, n, bytes, expected, original)
    select library_id, status, coalesce(codec, ''), count(*), sum(size_bytes), sum(coalesce(expected_bytes, size_bytes)), sum(coalesce(original_bytes, size_bytes)) from newt group by 1, 2, 3;
  elsif tg_op = 'DELETE' then
    insert into file_deltas (library_id, status, codec, n, bytes, expected, original)
    select library_id, status, coalesce(codec, ''), -count(*), -sum(size_bytes), -sum(coalesce(expected_bytes, size_bytes)), -sum(coalesce(original_bytes, size_bytes)) from oldt group by 1, 2, 3;
  else
    insert into file_deltas (library_id, status, codec, n, bytes, expected, original)
    select library_id, status, codec, sum(n), sum(b), sum(e), sum(o) from (
      select library_id, status, coalesce(codec, '') codec, -1 n, -size_bytes b, -coalesce(expected_bytes, size_bytes) e, -coalesce(original_bytes, size_bytes) o from oldt
      union all
      select library_id, status, coalesce(codec, ''), 1, size_bytes, coalesce(expected_bytes, size_bytes), coalesce(original_bytes, size_bytes) from newt) x
    group by 1, 2, 3 having sum(n) <> 0 or sum(b) <> 0 or sum(e) <> 0 or sum(o) <> 0;
  end if;
  return null;
end $$;
create trigger files_delta_i after insert on media_files referencing new table as newt for each statement execute function files_delta();
create trigger files_delta_u after update on media_files referencing old table as oldt new table as newt for each statement execute function files_delta();
create trigger files_delta_d after delete on media_files referencing old table as oldt for each statement execute function files_delta();

do $$
declare t text;
begin
  foreach t in array array['nodes', 'roots', 'node_roots', 'libraries', 'scans', 'media_files', 'jobs', 'attempts', 'originals',
                           'stats_daily', 'settings', 'settings_history', 'activity'] loop
    execute format('create trigger %I before insert or update or delete on %I for each statement execute function assert_term()', t || '_term', t);
  end loop;
end $$;

-- Quality that means the same everywhere, outputs that are looked at twice, what is left lying about, and pictures to compare.

-- a path of this root was once known to be the disk itself. When none is any more, a copy of it must not step in by itself:
-- a person says which one it is.
alter table roots add column ever_proved boolean not null default true;
alter table roots alter column ever_proved set default false;

-- which setting of an encoder on a node reached a goal, measured on samples; grouped by kind of title (core/quality.ts)
create table quality_findings (
  node_id     text not null references nodes(id) on delete cascade,
  encoder     text not null,
  device      text not null default '',
  title_class text not null check (length(title_class) <= 100),
  target      text not null check (target in ('visually-lossless', 'very-good', 'good')),
  metric      text not null check (metric in ('vmaf', 'ssim')),
  quality     double precision not null,                  -- on the profile's own scale, the mean of the runs
  score       double precision not null,
  runs        int not null default 1 check (runs > 0),
  measured_at timestamptz not null default now(),
  primary key (node_id, encoder, device, title_class, target, metric)
);

-- an encoder of a node that made bad output is not used until a person, or a new driver or ffmpeg, gives it another chance
create table benched (
  id          bigint generated always as identity primary key,
  node_id     text not null references nodes(id) on delete cascade,
  encoder     text not null,
  device      text not null default '',
  build       text not null default '',                   -- ffmpeg and driver that made it
  reason      jsonb not null,
  attempt_id  bigint,                                     -- the one that tipped the scales
  since       timestamptz not null default now(),
  lifted_at   timestamptz,
  lifted_by   text
);
create unique index benched_now on benched (node_id, encoder, device) where lifted_at is null;
create index benched_past on benched (node_id, encoder, device, id desc);
-- the last outputs that were judged of one encoder on one node
create index attempts_judged on attempts (node_id, encoder, id desc) where verdict is not null;

-- a second look: the machine that checks an output after the keeper beside it did
alter table attempts add column looker_id text;

-- earlier outputs of a benched encoder are looked at again while their originals are still in the trash
alter table originals
  add column recheck       text check (recheck in ('wanted', 'running', 'good', 'bad')),
  add column recheck_asked timestamptz,
  add column recheck_note  jsonb;
create index originals_recheck on originals (recheck_asked nulls first, id) where recheck in ('wanted', 'running', 'bad') and state = 'kept';

-- one clean-up of stale .lock and .tmp_ files below one root: first a list, then what a person agreed to
create table cleanups (
  id            bigint generated always as identity primary key,
  root_id       uuid not null references roots(id) on delete cascade,
  node_id       text,                                     -- the keeper that looks
  state         text not null default 'listing' check (state in ('listing', 'listed', 'deleting', 'done', 'failed', 'cancelled')),
  looked        bigint not null default 0,                -- names that were looked at
  live          int not null default 0,
  dead          int not null default 0,
  dead_bytes    bigint not null default 0,
  ask           int not null default 0,
  ask_bytes     bigint not null default 0,
  more          boolean not null default false,           -- the list was cut: there is more on the disk
  deleted       int not null default 0,
  deleted_bytes bigint not null default 0,
  kept          int not null default 0,
  reason        jsonb,
  asked_by      text not null,
  deleted_by    text,
  started_at    timestamptz not null default now(),
  listed_at     timestamptz,
  ended_at      timestamptz,
  check ((state in ('done', 'failed', 'cancelled')) = (ended_at is not null))
);
create unique index cleanups_open on cleanups (root_id) where ended_at is null;
create index cleanups_recent on cleanups (root_id, id desc);

create table leftovers (
  cleanup_id  bigint not null references cleanups(id) on delete cascade,
  n           int not null,                               -- in the order of the walk; a path is too long for an index
  path        text not null,
  size_bytes  bigint not null,
  mtime_ms    double precision not null,
  inode       text not null,
  attempt_id  bigint,
  standing    text not null check (standing in ('live', 'dead', 'ask')),
  why         text not null,
  state       text not null default 'found' check (state in ('found', 'chosen', 'deleted', 'gone', 'kept')),
  note        text,
  primary key (cleanup_id, n),
  check (standing <> 'live' or state = 'found')
);
create index leftovers_standing on leftovers (cleanup_id, standing, n);
create index leftovers_chosen on leftovers (cleanup_id, n) include (size_bytes, standing) where state = 'chosen';

-- an original that is not in the trash any more although nobody here deleted it: somebody emptied the trash by hand
alter table originals drop constraint originals_state_check;
alter table originals add constraint originals_state_check check (state in ('kept', 'restored', 'expired', 'gone'));
create index originals_trash on originals (root_id, id) include (size_bytes, created_at, expires_at) where state = 'kept';
create index originals_gone on originals (root_id, id) where state = 'gone';

-- what a machine's own work holds on its disk
alter table nodes add column temp_used_bytes bigint;

-- five pairs of frames and a colour strip of the film; the frames lie on the node that made them, the strip is small
alter table attempts
  add column pictures_node text,
  add column pictures      smallint not null default 0,   -- number of pairs
  add column barcode       text check (length(barcode) <= 960);  -- three bytes for each column, base64
create index attempts_pictures on attempts (id) where pictures > 0;

-- how considerate a machine is while it works (core/manner-wishes.ts); {} is the default
alter table nodes add column manners jsonb not null default '{}';

do $$
declare t text;
begin
  foreach t in array array['quality_findings', 'benched', 'cleanups', 'leftovers'] loop
    execute format('create trigger %I before insert or update or delete on %I for each statement execute function assert_term()', t || '_term', t);
  end loop;
end $$;

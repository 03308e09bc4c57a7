-- Where libraries come from beside plain folders: media servers that list films and want to be told of new files, and the
-- programs that fetch them.

create table sources (
  id            int generated always as identity primary key,
  kind          text not null check (kind in ('plex', 'jellyfin', 'emby', 'sonarr', 'radarr')),
  name          text not null unique check (length(name) between 1 and 100),
  url           text not null check (length(url) between 1 and 500),  -- the address in use; never carries a token
  connections   jsonb not null default '[]',                          -- others that were offered, best first
  identity      text not null check (length(identity) <= 200),        -- who must answer there; anybody else gets no token
  version       text not null default '',
  account       text not null default '',                             -- whose, for the page
  credential    text,                                                 -- sealed (node/sealed.ts); null: a person signs in again
  hook_hash     text unique,                                          -- sha256 of the secret in its webhook's address
  enabled       boolean not null default true,
  learnt        jsonb not null default '{}',                          -- which verb it took, which fields it has
  problem       jsonb,                                                -- why it can't be used now, as a reason
  problem_since timestamptz,
  checked_at    timestamptz,
  created_at    timestamptz not null default now(),
  unique (kind, identity)
);

-- what a media server offers; a person ticks those to watch
create table source_libraries (
  id          int generated always as identity primary key,
  source_id   int not null references sources(id) on delete cascade,
  key         text not null check (length(key) between 1 and 200),
  title       text not null check (length(title) between 1 and 200),
  kind        text not null check (kind in ('movies', 'shows', 'other')),
  folders     jsonb not null default '[]',                            -- in its own view
  items       int,                                                    -- null: not counted yet
  bytes       bigint,
  watched     boolean not null default false,
  change_mark text,                                                   -- as of the last whole listing
  listing     bigint not null default 0,                              -- the number of the listing that began last
  listed_at   timestamptz,                                            -- the last whole listing ended
  gone_at     timestamptz,                                            -- the server does not list it any more
  unique (source_id, key)
);

-- a source's view of a root: what it calls `prefix` is `folder` below the root. Proved on sample files before it is saved
create table source_paths (
  id         int generated always as identity primary key,
  source_id  int not null references sources(id) on delete cascade,
  prefix     text not null check (length(prefix) between 1 and 1000),
  root_id    uuid not null references roots(id) on delete cascade,
  folder     text not null default '',
  proof      jsonb not null default '{}',                             -- per node: found, of how many samples, when
  proved_at  timestamptz,                                             -- null: saved against a warning
  unique (source_id, prefix)
);

-- A library of a media server is one row here for each of its folders: a file stays (root, path below the root).
alter table libraries drop constraint libraries_source_check;
alter table libraries
  add constraint libraries_source_check check (source in ('folder', 'plex', 'jellyfin', 'emby')),
  add column source_library_id int references source_libraries(id) on delete set null,
  add column schedule jsonb not null default '{}',                    -- how often, or at which hour, this one is scanned; {} as the setting says
  add column watch boolean not null default true;                     -- changes on a local disk are noticed at once
create index libraries_source on libraries (source_library_id) where source_library_id is not null;

-- what a media server said to a scan of one of its libraries
alter table scans
  add column listed int,                                              -- items that the media server listed; null: it was not asked
  add column note jsonb;                                              -- what a person should know of it, as a reason

-- what a media server said of each file, as of its last listing
create table source_items (
  source_library_id int not null references source_libraries(id) on delete cascade,
  ref         text not null check (length(ref) between 1 and 200),
  part        text not null check (length(part) <= 200),
  path        text not null,                                          -- in its own view
  root_id     uuid references roots(id) on delete set null,           -- null: no rule of source_paths covers it
  file_path   text collate "C",                                       -- below the root
  size_bytes  bigint,
  title       text not null,
  detail      text not null default '',
  parts       smallint not null default 1,
  versions    smallint not null default 1,
  codec       text,
  added_at    timestamptz,
  watched     jsonb,
  used_at     timestamptz,                                            -- somebody was last known to play it
  listing     bigint not null default 0,                              -- which listing saw it last
  primary key (source_library_id, ref, part)
);
create index source_items_file on source_items (root_id, file_path) where file_path is not null;

-- what a source is told after a file changed, until it confirmed that it knows
create table source_messages (
  id             bigint generated always as identity primary key,
  source_id      int not null references sources(id) on delete cascade,
  file_id        bigint references media_files(id) on delete set null,
  job_id         bigint,
  kind           text not null check (kind in ('replaced', 'restored')),
  library_key    text,
  folder         text not null default '',                            -- what it is told to look at, in its own view
  ref            text,
  before         jsonb not null default '{}',                         -- path, size, codec, added, watched: to be compared afterwards
  after          jsonb not null default '{}',                         -- path, size, codec
  state          text not null default 'waiting' check (state in ('waiting', 'told', 'analyzing', 'confirmed', 'unconfirmed', 'dropped')),
  tries          smallint not null default 0,
  next_at        timestamptz,                                         -- null: nothing more is to be done
  reason         jsonb,
  created_at     timestamptz not null default now(),
  told_at        timestamptz,
  ended_at       timestamptz,
  check ((state in ('confirmed', 'dropped')) = (ended_at is not null))
);
create index source_messages_due on source_messages (next_at) where next_at is not null;
create index source_messages_file on source_messages (file_id, id desc);
create index source_messages_job on source_messages (job_id) where job_id is not null;
create index source_messages_source on source_messages (source_id, id desc);

-- one message of a webhook counts once, however often it comes
create table source_events (
  source_id int not null references sources(id) on delete cascade,
  key       text not null check (length(key) <= 100),
  at        timestamptz not null default now(),
  primary key (source_id, key)
);
create index source_events_old on source_events (at);

-- The key of stored secrets lies in a file of each machine that may coordinate, never here: how it can be told from another
-- one, and the way on which one such machine hands it to the next (assembly/secret-key.ts). Candidates write their own rows.
alter table cluster add column secret_id text;
alter table candidates
  add column exchange jsonb,                                          -- an X25519 public key, signed by the machine
  add column wrapped  jsonb;                                          -- the key for its eyes alone, signed by who wrapped it

-- everything of it was checked; since then it waits only until nobody uses the original
alter table attempts add column ready_at timestamptz;

do $$
declare t text;
begin
  foreach t in array array['sources', 'source_libraries', 'source_paths', 'source_items', 'source_messages', 'source_events'] loop
    execute format('create trigger %I before insert or update or delete on %I for each statement execute function assert_term()', t || '_term', t);
  end loop;
end $$;

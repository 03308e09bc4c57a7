-- More than one machine. The cluster's key pair lives here and nowhere else: to be able to sign is to have the database.

create table cluster (
  one             boolean primary key default true check (one),
  id              text not null check (id ~ '^[a-z2-7]{26}$'),     -- base32 of the public key's hash (mesh/signing.ts)
  name            text not null check (length(name) between 1 and 63),
  public_key      text not null,                                    -- Ed25519, raw, base64url
  private_key     text not null,                                    -- its seed, raw, base64url
  incarnation     int not null default 1,                           -- grows when a backup is put back: terms before it don't count
  members         jsonb,                                            -- the signed list that every node keeps
  members_version bigint not null default 0,
  established_at  timestamptz,                                      -- null: empty, and may dissolve into another cluster
  created_at      timestamptz not null default now()
);

-- who a coordinator would rather hand over to: for so long nobody else takes the free lease
alter table coordinator add column prefer text, add column prefer_until timestamptz;

-- nodes that hold this database: who could coordinate, and how many of the others each of them reaches. Not fenced: every
-- candidate writes its own row, also while another one leads.
create table candidates (
  node_id  text primary key,
  session  uuid not null,
  reaches  int not null default 0,
  at       timestamptz not null default now()
);

alter table nodes drop constraint nodes_standing_check;
alter table nodes add constraint nodes_standing_check check (standing in ('pending', 'approved', 'rejected', 'revoked'));
alter table nodes
  add column address       text,                                    -- from where it asked, or is connected now
  add column code          text,                                    -- six characters that its own console shows too
  add column asked_at      timestamptz,
  add column put_off_until timestamptz,                             -- "not now"
  add column decided_by    text,
  add column paused        boolean not null default false,
  add column slots_wished  smallint check (slots_wished between 0 and 64),
  add column schedule      jsonb not null default '[]',             -- hours in which it may work; empty: always (core/node-wishes.ts)
  add column mbps          int check (mbps > 0),                    -- most it may send or receive, megabits a second
  add column temp_bytes    bigint,                                  -- free in its workspace
  add column clock_ms      bigint,                                  -- its clock minus the coordinator's
  add column utc_offset    smallint,                                -- minutes
  add column ports         jsonb not null default '{}';
create index nodes_pending on nodes (asked_at desc) where standing = 'pending';

alter table node_roots
  add column found     text not null default 'person' check (found in ('person', 'marker')),
  -- shown to be the very same disk, not a copy of it; until now one machine had every root, so what is there is proved
  add column proved_at timestamptz default now();
alter table node_roots alter column proved_at drop default;

create table join_tokens (
  id          uuid primary key,
  label       text not null default '' check (length(label) <= 100),
  secret_hash text not null,
  uses_left   int not null check (uses_left between 0 and 1000),
  expires_at  timestamptz not null,
  created_by  text not null,
  created_at  timestamptz not null default now()
);

-- how fast a node encodes, measured: pixels of finished video a second
create table node_speeds (
  node_id           text not null references nodes(id) on delete cascade,
  encoder           text not null,
  pixels_per_second double precision not null check (pixels_per_second > 0),
  runs              int not null default 1,
  primary key (node_id, encoder)
);

-- founding is before any term; whoever changes the cluster later carries the current one
create trigger cluster_term before update or delete on cluster for each statement execute function assert_term();

do $$
declare t text;
begin
  foreach t in array array['join_tokens', 'node_speeds'] loop
    execute format('create trigger %I before insert or update or delete on %I for each statement execute function assert_term()', t || '_term', t);
  end loop;
end $$;

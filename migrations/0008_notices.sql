-- What people are told when nobody looks at the page: whom to tell, what happened, and what came of telling it.

create table notification_targets (
  id             int generated always as identity primary key,
  kind           text not null check (kind in ('webhook', 'discord', 'ntfy', 'apprise', 'email')),
  name           text not null check (length(name) between 1 and 60),
  place          text not null check (length(place) between 1 and 300),  -- what may be shown of where it leads; never a secret
  fields         jsonb not null default '{}' check (jsonb_typeof(fields) = 'object'), -- what is no secret (core/notice-kinds.ts)
  secrets        text[] not null default '{}',                            -- which secrets are kept, sealed, as secrets.name 'notice <id>'
  events         text[] not null check (cardinality(events) <= 40),
  quiet_from     text check (quiet_from ~ '^([01]\d|2[0-3]):[0-5]\d$'),   -- by the clock of the house
  quiet_until    text check (quiet_until ~ '^([01]\d|2[0-3]):[0-5]\d$'),
  enabled        boolean not null default true,
  version        int not null default 1,                                  -- two people who change it notice each other
  failures       int not null default 0 check (failures >= 0),            -- messages in a row that did not get through
  failing_since  timestamptz,
  rests_until    timestamptz,                                             -- nothing is tried there before
  last_answer    text not null default '' check (length(last_answer) <= 500),
  last_sent_at   timestamptz,
  created_at     timestamptz not null default now(),
  created_by     text not null,
  check ((quiet_from is null) = (quiet_until is null)),
  check (quiet_from is null or quiet_from <> quiet_until),
  check ((failures = 0) = (failing_since is null)),
  check (rests_until is null or failing_since is not null)
);
create unique index notification_targets_name on notification_targets (lower(name));

-- one row for what happened, written in the transaction of the fact itself; facts of a kind gather in one until it is sent out
create table notifications (
  id         bigint generated always as identity primary key,
  event      text not null check (length(event) between 1 and 40),
  key        text not null check (length(key) between 1 and 300),        -- facts with the same key gather while nothing was sent
  once       text check (length(once) between 1 and 300),                -- this very fact, which is told one time however often it is found
  at         timestamptz not null default now(),                         -- of the first of its facts
  last_at    timestamptz not null default now(),
  count      int not null default 1 check (count >= 1),
  items      jsonb not null default '[]' check (jsonb_typeof(items) = 'array' and jsonb_array_length(items) <= 10),
  ready_at   timestamptz not null default now(),                         -- until then more of its kind gathers
  routed_at  timestamptz                                                 -- null: nobody was chosen to be told yet
);
create unique index notifications_gather on notifications (key) where routed_at is null;
create unique index notifications_once on notifications (once) where once is not null;
create index notifications_waiting on notifications (ready_at) where routed_at is null;
create index notifications_last on notifications (key, ready_at desc);
create index notifications_old on notifications (at);

create table deliveries (
  id              bigint generated always as identity primary key,
  notification_id bigint not null references notifications(id) on delete cascade,
  target_id       int not null references notification_targets(id) on delete cascade,
  message         uuid not null default gen_random_uuid(),               -- the same at every try, so that a receiver knows a repetition
  state           text not null default 'waiting' check (state in ('waiting', 'held', 'failed', 'sent', 'given-up')),
  tries           smallint not null default 0 check (tries between 0 and 100),
  next_at         timestamptz default now(),                             -- null: nothing more is to be done
  answer          text not null default '' check (length(answer) <= 500), -- the last one, in words
  created_at      timestamptz not null default now(),
  tried_at        timestamptz,
  ended_at        timestamptz,
  unique (notification_id, target_id),
  check ((state in ('waiting', 'held', 'failed')) = (next_at is not null)),
  check ((state in ('sent', 'given-up')) = (ended_at is not null)),
  check (state <> 'sent' or tries > 0)
) with (fillfactor = 80);
create index deliveries_due on deliveries (next_at) where next_at is not null;
create index deliveries_target on deliveries (target_id, id desc);

-- what is told when it changes, and was told last: a machine that is off, a disk that is full, a queue that was worked off
create table notice_watches (
  key        text primary key check (length(key) between 1 and 200),
  state      jsonb not null check (jsonb_typeof(state) = 'object'),
  changed_at timestamptz not null default now()
);

-- for ever, although the log is not: counters only grow
create table delivery_counts (
  kind    text not null check (length(kind) <= 20),
  outcome text not null check (outcome in ('sent', 'failed', 'given-up')),
  total   bigint not null default 0 check (total >= 0),
  primary key (kind, outcome)
) with (fillfactor = 50);

-- a sign-in from an address that this person never came from is told
create index audit_sign_ins on audit (user_id, address) where action = 'signed in';

do $$
declare t text;
begin
  foreach t in array array['notification_targets', 'notifications', 'deliveries', 'notice_watches', 'delivery_counts'] loop
    execute format('create trigger %I before insert or update or delete on %I for each statement execute function assert_term()', t || '_term', t);
  end loop;
end $$;

-- An original that these books learned of from the note beside it in the trash: they were put back from an older time, or
-- begun anew, after it had gone there. Null for every other one.
alter table originals
  add column found jsonb;

-- Files in a trash that nothing tells where they belong. They are shown and never touched; each look writes them anew.
create table trash_strangers (
  root_id    uuid not null references roots(id) on delete cascade,
  trash_path text not null,
  size_bytes bigint not null,
  mtime_ms   bigint not null,
  why        text not null check (length(why) <= 500),
  primary key (root_id, trash_path)
);
create trigger trash_strangers_term before insert or update or delete on trash_strangers
  for each statement execute function assert_term();

-- Search over any part of a name: without an index a rare word costs a look at every row (1.8 s at a million files).
-- pg_trgm is a trusted extension, but a database made by somebody else may refuse it: then search is slow, not broken.
do $$
begin
  create extension if not exists pg_trgm;
exception when insufficient_privilege or undefined_file or feature_not_supported then
  raise notice 'pg_trgm is not available here: search looks at every file';
end $$;

do $$
begin
  if exists (select 1 from pg_extension where extname = 'pg_trgm') then
    execute $i$create index media_files_search on media_files using gin ((title || ' ' || detail || ' ' || (path collate "default")) gin_trgm_ops)$i$;
  end if;
end $$;

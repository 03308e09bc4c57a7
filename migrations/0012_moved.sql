-- A database may be left for another one (the embedded for an external, or back). What was left is not the truth any
-- more and must not be led by accident; what is being moved into is not the truth yet.
alter table coordinator
  add column moved_to text check (length(moved_to) <= 300),   -- where the truth is now, in words
  add column moved_at timestamptz,
  add column arriving text check (length(arriving) <= 60);    -- the move whose choice is not written down yet

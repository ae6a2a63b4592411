-- Users who are locked for a time or deleted without losing their row, ids that are never given again,
-- and the indexes that operators find users by.

-- +goose Up

-- banned_until locks a user until then; disabled locks them without an end. deleted_at says since when a
-- user counts as deleted. password_must_change lets a password in once, to choose another one.
alter table auth.users
  add column banned_until timestamptz,
  add column deleted_at timestamptz,
  add column password_must_change boolean not null default false;

-- Ids of users who were deleted: whoever got one of them would be taken for its owner before, wherever an
-- application still knows the id.
create table auth.deleted_users (
  id uuid primary key,
  deleted_at timestamptz not null
);

-- The owner of the table writes it, whoever deletes the user: Hasura, say, whose role may not.
-- +goose StatementBegin
create function auth.postern_bury_users() returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  insert into auth.deleted_users (id, deleted_at) select id, statement_timestamp() from gone on conflict (id) do nothing;
  return null;
end;
$$;
-- +goose StatementEnd

create trigger postern_bury after delete on auth.users
  referencing old table as gone for each statement
  execute function auth.postern_bury_users();

-- The same as before, and what locks users besides.
drop trigger postern_tell_of_change on auth.users;
create trigger postern_tell_of_change after update on auth.users for each row
  when (old.disabled is distinct from new.disabled
    or old.banned_until is distinct from new.banned_until
    or old.deleted_at is distinct from new.deleted_at
    or old.default_role is distinct from new.default_role
    or old.is_anonymous is distinct from new.is_anonymous
    or old.email_verified is distinct from new.email_verified
    or old.email::text is distinct from new.email::text
    or old.id is distinct from new.id)
  execute function auth.postern_tell_of_user();

-- For lists of users. Keys of text are cut, so that no name is too long for an index, and sorted by the
-- letters' numbers, so that a beginning is a range. There is none on last_seen and updated_at: a refresh
-- changes both, and every one of them would write to all indexes of the table.
create index postern_users_created_at_idx on auth.users (created_at, id);
create index postern_users_email_idx on auth.users ((coalesce(lower(left(email::text, 254)), '') collate "C"), id);
create index postern_users_display_name_idx on auth.users ((lower(left(display_name, 100)) collate "C"), id);
create index postern_users_phone_number_idx on auth.users ((left(phone_number, 32) collate "C")) where phone_number is not null;
create index postern_users_metadata_idx on auth.users using gin (metadata jsonb_path_ops);
create index postern_users_disabled_idx on auth.users (created_at, id) where disabled;
create index postern_users_banned_until_idx on auth.users (banned_until) where banned_until is not null;
create index postern_users_deleted_at_idx on auth.users (created_at, id) where deleted_at is not null;
create index postern_users_is_anonymous_idx on auth.users (created_at, id) where is_anonymous;
create index postern_users_default_role_idx on auth.users (default_role);
create index postern_user_roles_role_idx on auth.user_roles (role, user_id);

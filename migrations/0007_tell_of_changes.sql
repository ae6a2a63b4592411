-- Servers remember for some seconds who a token speaks of (docs/hasura-webhook.md). These triggers tell
-- them on the channel postern_users whose memory to drop: the payload is the id of a user. They are
-- triggers because operators lock users and take roles away in SQL and through Hasura, too.
--
-- A refresh, a sign-in and a sign-up say nothing: a refresh only updates its session, and what a
-- remembered answer says does not change by any of them. The conditions are in the triggers, so that an
-- update of auth.users that changes something else, last_seen above all, calls no function.

-- +goose Up

-- +goose StatementBegin
create function auth.postern_tell_of_user() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_notify('postern_users', old.id::text);
  return null;
end;
$$;
-- +goose StatementEnd

-- postern_tell_of_users tells of each user whose rows a statement dropped or changed, once.
-- +goose StatementBegin
create function auth.postern_tell_of_users() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_notify('postern_users', u.user_id::text) from (select distinct user_id from gone) u;
  return null;
end;
$$;
-- +goose StatementEnd

create trigger postern_tell_of_change after update on auth.users for each row
  when (old.disabled is distinct from new.disabled
    or old.default_role is distinct from new.default_role
    or old.is_anonymous is distinct from new.is_anonymous
    or old.email_verified is distinct from new.email_verified
    or old.email::text is distinct from new.email::text
    or old.id is distinct from new.id)
  execute function auth.postern_tell_of_user();

create trigger postern_tell_of_end after delete on auth.users for each row
  execute function auth.postern_tell_of_user();

create trigger postern_tell_of_change after update on auth.user_roles
  referencing old table as gone for each statement
  execute function auth.postern_tell_of_users();

create trigger postern_tell_of_end after delete on auth.user_roles
  referencing old table as gone for each statement
  execute function auth.postern_tell_of_users();

-- Sessions and personal access tokens end by the end of their row.
create trigger postern_tell_of_end after delete on auth.refresh_tokens
  referencing old table as gone for each statement
  execute function auth.postern_tell_of_users();

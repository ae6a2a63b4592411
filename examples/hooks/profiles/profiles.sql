-- Create my rows: every user has a profile, from the first moment or not at all.
--
-- Run this as the role that Postern connects as, or as one that may create in these schemas; then set
--
--   AUTH_HOOK_USER_INSERTED_ENABLED=true
--   AUTH_HOOK_USER_INSERTED_URI=pg-functions://postgres/app/create_profile
--
-- The function is called inside the transaction that writes the user, so its row and the user's are kept
-- together or lost together. It runs as Postern's own role in the middle of what Postern writes: the time limit
-- and the roles of other hooks are no boundary here. Let only such functions in as you would let into the server.
create table public.profiles (
  user_id    uuid primary key references auth.users (id) on delete cascade,
  name       text not null,
  locale     text not null default 'en',
  created_at timestamptz not null default now()
);

create schema if not exists app;

create function app.create_profile(event jsonb) returns jsonb
language plpgsql
set search_path to ''
as $function$
declare
  who jsonb := event->'user';
  called text := coalesce(nullif(who->'user_metadata'->>'name', ''), 'Nameless');
begin
  -- An error object refuses: the client gets the status and the message, and there is no user.
  if lower(called) in ('admin', 'root') then
    return jsonb_build_object('error', jsonb_build_object('http_code', 422, 'message', 'Please take another name'));
  end if;

  -- Any other error refuses too, with status 500 and nothing said: a broken constraint, say.
  insert into public.profiles (user_id, name, locale)
  values ((who->>'id')::uuid, called, coalesce(who->'user_metadata'->>'locale', 'en'));
  return '{}';
end
$function$;

-- Nobody calls it through another API. Postern's role owns it; for another owner,
-- 'postern hooks grant user_inserted' prints what is missing.
revoke execute on function app.create_profile(jsonb) from public;

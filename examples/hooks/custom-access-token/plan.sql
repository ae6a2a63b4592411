-- custom_access_token as a function in the database.
--
--   AUTH_HOOK_CUSTOM_ACCESS_TOKEN_ENABLED=true
--   AUTH_HOOK_CUSTOM_ACCESS_TOKEN_URI=pg-functions://postgres/app/plan
--
-- It gives each token the session variable x-hasura-plan, and people of a blocked domain none.
create schema if not exists app;

create table app.blocked_domains (domain text primary key);

create function app.plan(event jsonb) returns jsonb
language plpgsql
stable
set search_path to ''
as $function$
declare
  claims jsonb := event->'claims';
  home text := split_part(claims->>'email', '@', 2);
  plan text := case when home = 'example.com' then 'staff' else 'free' end;
begin
  if exists (select from app.blocked_domains where domain = home) then
    return '{"error": {"http_code": 403, "message": "Your organisation has no plan"}}';
  end if;
  return jsonb_build_object('claims', jsonb_set(claims, '{https://hasura.io/jwt/claims,x-hasura-plan}', to_jsonb(plan)));
end
$function$;

-- 'postern hooks grant custom_access_token --apply' does this for the role of your settings.
revoke execute on function app.plan(jsonb) from public;

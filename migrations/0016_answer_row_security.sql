-- Who asks, for policies of row-level security: what Supabase's database has under these names, and read from
-- where PostgREST and its like put the claims of a request. A function of such a name that is there already is
-- somebody's own, and stays as it is.
--
-- They tell what the settings of the session say and read no table. So everybody may call them.

-- +goose Up

-- +goose StatementBegin
do $$
declare
  theirs text[] := array(select proname::text from pg_catalog.pg_proc where pronamespace = 'auth'::regnamespace);
begin
  if 'uid' <> all (theirs) then
    create function auth.uid() returns uuid language sql stable parallel safe
      return coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid;
    comment on function auth.uid() is 'The user who asks. Made by Postern.';
    grant execute on function auth.uid() to public;
  end if;
  if 'role' <> all (theirs) then
    create function auth.role() returns text language sql stable parallel safe
      return coalesce(nullif(current_setting('request.jwt.claim.role', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role');
    comment on function auth.role() is 'The role that the token of the request names. Made by Postern.';
    grant execute on function auth.role() to public;
  end if;
  if 'email' <> all (theirs) then
    create function auth.email() returns text language sql stable parallel safe
      return coalesce(nullif(current_setting('request.jwt.claim.email', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email');
    comment on function auth.email() is 'The address that the token of the request names. Made by Postern.';
    grant execute on function auth.email() to public;
  end if;
  if 'jwt' <> all (theirs) then
    create function auth.jwt() returns jsonb language sql stable parallel safe
      return coalesce(nullif(current_setting('request.jwt.claim', true), ''),
        nullif(current_setting('request.jwt.claims', true), ''))::jsonb;
    comment on function auth.jwt() is 'All claims of the token of the request. Made by Postern.';
    grant execute on function auth.jwt() to public;
  end if;
end $$;
-- +goose StatementEnd

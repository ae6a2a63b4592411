-- When an address and a number were confirmed, and when somebody last signed in: clients of Supabase's
-- dialect are told. A confirmation is noted whoever writes it, by hand or through Hasura. And whether somebody else
-- signed up with an address that nobody had confirmed: then no mail may confirm it for the password of the first.

-- +goose Up

alter table auth.users
  add column email_confirmed_at timestamptz,
  add column phone_confirmed_at timestamptz,
  add column last_sign_in_at timestamptz,
  add column contested boolean not null default false;

-- +goose StatementBegin
create function auth.postern_note_confirmation() returns trigger
  language plpgsql
as $$
begin
  if not new.email_verified then
    new.email_confirmed_at = null;
  elsif tg_op = 'INSERT' or not old.email_verified or new.email::text is distinct from old.email::text then
    new.email_confirmed_at = coalesce(case when tg_op = 'INSERT' then new.email_confirmed_at end, statement_timestamp());
  end if;
  if not new.phone_number_verified then
    new.phone_confirmed_at = null;
  elsif tg_op = 'INSERT' or not old.phone_number_verified or new.phone_number is distinct from old.phone_number then
    new.phone_confirmed_at = coalesce(case when tg_op = 'INSERT' then new.phone_confirmed_at end, statement_timestamp());
  end if;
  return new;
end;
$$;
-- +goose StatementEnd

create trigger postern_note_confirmation before insert on auth.users for each row
  when (new.email_verified or new.phone_number_verified)
  execute function auth.postern_note_confirmation();
create trigger postern_note_confirmation_again before update on auth.users for each row
  when (new.email_verified is distinct from old.email_verified or new.phone_number_verified is distinct from old.phone_number_verified
    or new.email::text is distinct from old.email::text or new.phone_number is distinct from old.phone_number)
  execute function auth.postern_note_confirmation();

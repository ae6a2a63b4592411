-- Second factors of several kinds. A user has one authenticator app and one telephone at most, and any number of security
-- keys. That of an authenticator app is noted where Hasura Auth has it, in active_mfa_type, where operators turn a lost one off, too.
-- The kinds of the others are noted beside it, so that what reads or locks a user's row knows whether they owe a second factor: a
-- statement that waited for the row would not see what was written to another table meanwhile.

-- +goose Up

alter table auth.factors drop constraint factors_kind_check;
alter table auth.factors add constraint factors_kind_check check (kind in ('totp', 'phone', 'webauthn'));
alter table auth.factors add column phone_number text; -- of a factor of the kind phone: E.164, as codes are sent to it

drop index auth.factors_user_id_kind_status_idx;
create unique index factors_one_of_a_kind_idx on auth.factors (user_id, kind, status) where kind in ('totp', 'phone');
create index factors_user_id_idx on auth.factors (user_id);

alter table auth.users add column other_factors text[]; -- kinds of the active factors beside an authenticator app; null when there is none

-- +goose StatementBegin
create function auth.postern_note_factors() returns trigger
  language plpgsql
as $$
declare
  owner uuid = coalesce(new.user_id, old.user_id);
begin
  perform from auth.users where id = owner for no key update;
  update auth.users u set other_factors = f.kinds
    from (select array_agg(distinct kind order by kind) as kinds from auth.factors
      where user_id = owner and status = 'active' and kind <> 'totp') f
    where u.id = owner and u.other_factors is distinct from f.kinds;
  return null;
end;
$$;
-- +goose StatementEnd

create trigger postern_note_factors_added after insert on auth.factors for each row
  when (new.kind <> 'totp' and new.status = 'active') execute function auth.postern_note_factors();
create trigger postern_note_factors_changed after update of status, kind on auth.factors for each row
  when (new.kind <> 'totp' or old.kind <> 'totp') execute function auth.postern_note_factors();
create trigger postern_note_factors_gone after delete on auth.factors for each row
  when (old.kind <> 'totp' and old.status = 'active') execute function auth.postern_note_factors();

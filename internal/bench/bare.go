package main

import (
	"encoding/json"
	"net/http"
	"time"

	"postern/store"
	"postern/tokens"
)

// The statements are copies of the house's own, kept here so that the bare handlers stay what they
// are: the least that a Go program can do to answer the same question from the same rows.
const (
	bareUserColumns = `u.id, u.created_at, u.updated_at, coalesce(u.last_seen, '0001-01-01Z'::timestamptz) as last_seen, u.disabled,
	least(greatest(u.banned_until, '0001-01-01Z'::timestamptz), '9999-12-31Z'::timestamptz) as banned_until,
	case when u.deleted_at is null then '0001-01-01Z'::timestamptz else least(greatest(u.deleted_at, '1970-01-01Z'::timestamptz), '9999-12-31Z'::timestamptz) end as deleted_at,
	u.display_name, u.avatar_url, u.locale, coalesce(u.email::text, '') as email, u.email_verified,
	coalesce(u.new_email::text, '') as new_email, coalesce(u.phone_number, '') as phone_number,
	u.phone_number_verified, u.default_role, u.is_anonymous,
	coalesce(u.active_mfa_type, '') as active_mfa_type, coalesce(u.other_factors, '{}') as other_factors, u.metadata,
	array(select r.role from auth.user_roles r where r.user_id = u.id order by r.created_at, r.role) as roles`
	bareRefresh = `with turned as (
		update auth.refresh_tokens t
		set refresh_token_hash = $2, rotated_at = $3, expires_at = least($4::timestamptz, coalesce(t.ends_at, $4)), user_agent = $5, address_prefix = $6
		from auth.users u
		where t.refresh_token_hash = $1 and t.type = 'regular' and t.expires_at > $3 and (t.ends_at is null or t.ends_at > $3)
			and u.id = t.user_id and not u.disabled and (not $7 or u.email_verified or u.email is null or u.is_anonymous)
		returning t.id as session_id, t.created_at as session_created_at, t.expires_at as session_expires_at, t.aal, t.amr, t.user_id
	), seen as (
		update auth.users u set last_seen = $3 from turned t
		where u.id = t.user_id and (u.last_seen is null or u.last_seen < $3::timestamptz - interval '1 minute')
	)
	select ` + bareUserColumns + `, t.session_id, t.session_created_at, t.session_expires_at, t.aal, t.amr
	from turned t join auth.users u on u.id = t.user_id`
	bareUser = `select ` + bareUserColumns + ` from auth.users u
	where u.id = $1 and ($2::uuid is null or exists (select from auth.refresh_tokens t where t.id = $2 and t.user_id = u.id))`
)

// bareHandlers run the statement and encode one value of it, and do nothing else: no checks, no
// token, no log.
func bareHandlers(db *store.DB) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /refresh", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ RefreshToken string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, "bad", http.StatusBadRequest)
			return
		}
		next, now := tokens.NewUUID(), time.Now()
		rows, err := db.Query(r.Context(), bareRefresh, tokens.HashRefresh(in.RefreshToken), tokens.HashRefresh(next),
			now, now.Add(720*time.Hour), r.UserAgent(), "127.0.0.0/24", false)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		found := rows.Next()
		rows.Close()
		if !found || rows.Err() != nil {
			http.Error(w, "unknown", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"refreshToken": next})
	})
	mux.HandleFunc("GET /user", func(w http.ResponseWriter, r *http.Request) {
		rows, err := db.Query(r.Context(), bareUser, r.FormValue("id"), nil)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		found := rows.Next()
		rows.Close()
		if !found || rows.Err() != nil {
			http.Error(w, "unknown", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"id": r.FormValue("id")})
	})
	return mux
}

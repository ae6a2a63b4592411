package gotrue

import (
	"encoding/json"
	"net/http"

	"postern/auth"
	"postern/flow"
	"postern/server"
	"postern/userobject"
)

func (d *Door) user(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	u, details, err := d.Account.Whole(r.Context(), actor)
	if err != nil {
		return err
	}
	return server.JSON(w, http.StatusOK, userobject.Whole(u, &details))
}

type updateRequest struct {
	pkce

	Email       address         `json:"email"`
	Phone       string          `json:"phone"`
	Channel     string          `json:"channel"`
	Password    *string         `json:"password"`
	Current     string          `json:"current_password"`
	Nonce       string          `json:"nonce"`
	Data        json.RawMessage `json:"data"`
	AppMetadata json.RawMessage `json:"app_metadata"`
}

// Check tells what is wrong with the request.
func (in *updateRequest) Check() error {
	if err := in.pkce.check(); err != nil {
		return err
	}
	if len(in.AppMetadata) > 0 && string(in.AppMetadata) != "null" {
		return refusal{http.StatusForbidden, "not_admin", "Updating app_metadata requires admin privileges"}
	}
	if in.Email != "" {
		if err := in.Email.check(); err != nil {
			return err
		}
	}
	if in.Phone != "" {
		if err := textable(in.Phone, in.Channel); err != nil {
			return err
		}
	}
	return dataIn(in.Data)
}

func (d *Door) updateUser(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	in, err := server.Decode[updateRequest](r, body)
	if err != nil {
		return err
	}
	for bucket, given := range map[server.Bucket]bool{server.Mails: in.Email != "", server.Texts: in.Phone != ""} {
		if !given {
			continue
		}
		if err := d.Guards.Take(bucket, server.Client(w).Bucket()); err != nil {
			return err
		}
	}
	u, details, err := d.Account.Update(r.Context(), flow.AccountChange{
		Actor: actor, NewEmail: string(in.Email), NewPhone: numberIn(in.Phone), Password: in.Password, Current: in.Current, Nonce: in.Nonce, Metadata: given(in.Data),
		RedirectTo: d.redirectTo(r), CodeChallenge: in.Challenge, Client: server.Client(w),
	})
	if err != nil {
		return here(err, map[auth.Code]refusal{auth.EndpointDisabled: noTexts[auth.EndpointDisabled], auth.FactorRequired: refusals[auth.NotElevated], auth.InvalidCredentials: badCurrent(in.Current), auth.InvalidOTP: badNonce(in.Nonce), auth.TooManyOTPs: badNonce(in.Nonce)})
	}
	return server.JSON(w, http.StatusOK, userobject.Whole(u, &details))
}

func (d *Door) logout(w http.ResponseWriter, r *http.Request) error {
	actor, err := d.actor(r)
	if err != nil {
		return err
	}
	scope := r.URL.Query().Get("scope")
	if actor.SessionID == "" && (scope == "local" || scope == "others") {
		scope = "global" // there is none to tell from the rest
	}
	switch scope {
	case "", "global":
		err = d.Sessions.SignOutEverywhere(r.Context(), actor, server.Client(w))
	case "local":
		err = d.Sessions.EndOne(r.Context(), actor, actor.SessionID, server.Client(w))
	case "others":
		err = d.Sessions.SignOutOthers(r.Context(), actor, server.Client(w))
	default:
		return auth.Invalid{Field: "scope", Problem: "must be global, local or others"}
	}
	if err != nil {
		return here(err, map[auth.Code]refusal{auth.FactorRequired: {http.StatusForbidden, "insufficient_aal", "AAL2 is required to sign out other sessions"}})
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

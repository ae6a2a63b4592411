package gotrue

import (
	"net/http"
	"time"
	"unicode/utf8"

	"postern/auth"
	"postern/flow"
	"postern/server"
	"postern/userobject"
)

func (d *Door) listFactors(w http.ResponseWriter, r *http.Request, by flow.Operator) error {
	id, err := userID(r)
	if err != nil {
		return err
	}
	u, err := d.Admin.WholeUser(r.Context(), by, id)
	if err != nil {
		return here(err, noUser)
	}
	list := userobject.Factors(u.Details)
	if list == nil {
		list = []userobject.Factor{}
	}
	return server.JSON(w, http.StatusOK, list)
}

func (d *Door) deleteFactor(w http.ResponseWriter, r *http.Request, by flow.Operator) error {
	in, err := removal(r, "factor_id")
	if err != nil {
		return err
	}
	factor, err := d.Admin.RemoveFactor(r.Context(), by, in)
	if err != nil {
		return here(err, noUser)
	}
	return server.JSON(w, http.StatusOK, userobject.Factors(auth.Details{Factors: []auth.Factor{factor}})[0])
}

type factorEdit struct {
	Name  string `json:"friendly_name"`
	Phone string `json:"phone"`
}

// Check tells what is wrong with the request.
func (in *factorEdit) Check() error {
	switch {
	case utf8.RuneCountInString(in.Name) > 100:
		return auth.Invalid{Field: "friendly_name", Problem: "must not be longer than 100 characters"}
	case in.Phone != "" && numberIn(in.Phone) == "":
		return auth.Invalid{Field: "phone", Problem: "must be a telephone number with the country's code, such as 15551234567"}
	}
	return nil
}

func (d *Door) changeFactor(w http.ResponseWriter, r *http.Request, by flow.Operator) error {
	of, err := removal(r, "factor_id")
	if err != nil {
		return err
	}
	in, err := server.Decode[factorEdit](r, body)
	if err != nil {
		return err
	}
	factor, err := d.Admin.ChangeFactor(r.Context(), by, flow.FactorEdit{UserID: of.UserID, ID: of.ID, Name: in.Name, Number: numberIn(in.Phone)})
	if err != nil {
		return here(err, noUser)
	}
	return server.JSON(w, http.StatusOK, userobject.Factors(auth.Details{Factors: []auth.Factor{factor}})[0])
}

// removal is what a path says of something that is taken off a user. Operators of this dialect are not asked what is
// left to sign in by.
func removal(r *http.Request, name string) (in flow.Removal, err error) {
	if in.UserID, err = userID(r); err != nil {
		return in, err
	}
	in.ID, err = pathID(r, name)
	in.Lockout = true
	return in, err
}

type listedPasskey struct {
	ID           string     `json:"id"`
	FriendlyName string     `json:"friendly_name,omitempty"`
	CreatedAt    *time.Time `json:"created_at"`
	LastUsedAt   *time.Time `json:"last_used_at,omitempty"`
}

func (d *Door) listPasskeys(w http.ResponseWriter, r *http.Request, by flow.Operator) error {
	id, err := userID(r)
	if err != nil {
		return err
	}
	found, err := d.Admin.PasskeysOf(r.Context(), by, id)
	if err != nil {
		return here(err, noUser)
	}
	list := make([]listedPasskey, 0, len(found))
	for _, k := range found {
		list = append(list, listedPasskey{ID: k.ID, FriendlyName: k.Nickname, CreatedAt: k.AddedAt, LastUsedAt: k.UsedAt})
	}
	return server.JSON(w, http.StatusOK, list)
}

func (d *Door) deletePasskey(w http.ResponseWriter, r *http.Request, by flow.Operator) error {
	in, err := removal(r, "passkey_id")
	if err != nil {
		return err
	}
	if err := d.Admin.RemovePasskey(r.Context(), by, in); err != nil {
		return here(err, map[auth.Code]refusal{auth.NotFound: {http.StatusNotFound, "webauthn_credential_not_found", "There is no passkey of the id"}})
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

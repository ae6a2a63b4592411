package auth0

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"postern/flow"
	"postern/store"
)

// notShown stands for the value of every secret. Sent back, it is a value like any other.
const notShown = "_VALUE_NOT_SHOWN_"

func (d *Door) list(w http.ResponseWriter, r *http.Request, by flow.By) error {
	q := r.URL.Query()
	if err := only(q, "page", "per_page", "include_totals", "enabled", "fields", "include_fields", "triggerId"); err != nil {
		return err
	}
	p, err := pageOf(q)
	if err != nil {
		return err
	}
	if p.shown, err = shownOf(q); err != nil {
		return err
	}
	filter := store.ScriptFilter{Trigger: q.Get("triggerId")}
	if filter.Enabled, err = flag(q, "enabled"); err != nil {
		return err
	}
	if filter.Trigger != "" && !slices.Contains(flow.Triggers(), filter.Trigger) {
		return queryMisfit("triggerId", "Expected one of "+strings.Join(flow.Triggers(), ", "))
	}
	if p.paged {
		filter.Skip, filter.Most = p.start(), &p.size
	}
	scripts, total, err := d.Scripts.List(r.Context(), filter, by)
	if err != nil {
		return err
	}
	hooks := make([]hook, 0, len(scripts))
	for _, s := range scripts {
		hooks = append(hooks, hook{s, p.shown})
	}
	if !p.totals {
		return write(w, http.StatusOK, hooks)
	}
	return write(w, http.StatusOK, struct {
		Total int    `json:"total"`
		Start int    `json:"start"`
		Limit int    `json:"limit"`
		Hooks []hook `json:"hooks"`
	}{total, filter.Skip, p.limit(total), hooks})
}

func (d *Door) create(w http.ResponseWriter, r *http.Request, by flow.By) error {
	in, err := toNewScript(r)
	if err != nil {
		return err
	}
	s, err := d.Scripts.Create(r.Context(), in, by)
	if err != nil {
		return err
	}
	return write(w, http.StatusCreated, hook{script: s})
}

func (d *Door) get(w http.ResponseWriter, r *http.Request, by flow.By) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	if err := only(q, "fields", "include_fields"); err != nil {
		return err
	}
	shown, err := shownOf(q)
	if err != nil {
		return err
	}
	s, err := d.Scripts.Get(r.Context(), id, by)
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, hook{s, shown})
}

func (d *Door) change(w http.ResponseWriter, r *http.Request, by flow.By) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	in, err := toScriptChange(r)
	if err != nil {
		return err
	}
	s, err := d.Scripts.Change(r.Context(), id, in, by)
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, hook{script: s})
}

// remove ignores the body that older clients send along.
func (d *Door) remove(w http.ResponseWriter, r *http.Request, by flow.By) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	if err := d.Scripts.Delete(r.Context(), id, by); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (d *Door) secrets(w http.ResponseWriter, r *http.Request, by flow.By) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	names, err := d.Scripts.SecretNames(r.Context(), id, by)
	if err != nil {
		return err
	}
	shown := make(map[string]string, len(names))
	for _, name := range names {
		shown[name] = notShown
	}
	return write(w, http.StatusOK, shown)
}

func (d *Door) addSecrets(w http.ResponseWriter, r *http.Request, by flow.By) error {
	id, secrets, err := secretsOf(r)
	if err != nil {
		return err
	}
	if err := d.Scripts.AddSecrets(r.Context(), id, secrets, by); err != nil {
		return err
	}
	return write(w, http.StatusCreated, struct{}{})
}

func (d *Door) changeSecrets(w http.ResponseWriter, r *http.Request, by flow.By) error {
	id, secrets, err := secretsOf(r)
	if err != nil {
		return err
	}
	if err := d.Scripts.ChangeSecrets(r.Context(), id, secrets, by); err != nil {
		return err
	}
	return write(w, http.StatusCreated, struct{}{})
}

func secretsOf(r *http.Request) (string, map[string]string, error) {
	id, err := idOf(r)
	if err != nil {
		return "", nil, err
	}
	body, err := readJSON(r)
	if err != nil {
		return "", nil, err
	}
	secrets, err := texts(body, "body")
	return id, secrets, err
}

func (d *Door) dropSecrets(w http.ResponseWriter, r *http.Request, by flow.By) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	body, err := readJSON(r)
	if err != nil {
		return err
	}
	var names []string
	if err := json.Unmarshal(body, &names); err != nil || len(names) == 0 {
		return bodyMisfit("body", "Expected type array of the names of secrets, at least one")
	}
	if err := d.Scripts.DropSecrets(r.Context(), id, names, by); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

package server

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
)

// JSON answers with a value.
func JSON(w http.ResponseWriter, status int, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	return Raw(w, status, b.Bytes())
}

// Raw answers with JSON that is encoded already.
func Raw(w http.ResponseWriter, status int, body []byte) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, err := w.Write(body)
	if err != nil {
		return nil //nolint:nilerr // the client went away; there is nobody to tell
	}
	return nil
}

package sms

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// devSink sends nothing: it writes the text into a folder, if there is one, and tells.
type devSink struct {
	dir    string
	caught func(Message)
}

// Send keeps the message. Its file is named after the number, and the next message replaces it.
func (d *devSink) Send(_ context.Context, m Message) error {
	if d.dir != "" {
		if err := replace(filepath.Join(d.dir, m.To+".txt"), m.Text+"\n"); err != nil {
			return &SendError{Err: errors.New("cannot write into AUTH_SMS_DEV_OUTPUT_DIR")}
		}
	}
	if d.caught != nil {
		d.caught(m)
	}
	return nil
}

// replace writes a file in one step, so that whoever waits for it never reads half of it.
func replace(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".sms-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

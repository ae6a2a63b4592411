package totp

import (
	"fmt"
	"image/color"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// SVG is the QR code as a drawing, with the quiet margin that scanners need around it.
func (e Enrolment) SVG() (string, error) {
	code, err := qr.Encode(e.URI(), qr.M, qr.Auto)
	if err != nil {
		return "", fmt.Errorf("totp: %w", err)
	}
	const margin = 4 // modules, ISO/IEC 18004
	size := code.Bounds().Dx()
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?><svg xmlns="http://www.w3.org/2000/svg" width="%[2]d" height="%[2]d" viewBox="0 0 %[1]d %[1]d" shape-rendering="crispEdges">`, size+2*margin, imageSize)
	fmt.Fprintf(&b, `<rect width="%[1]d" height="%[1]d" fill="white"/><path fill="black" d="`, size+2*margin)
	for y := range size {
		for x := 0; x < size; x++ {
			from := x
			for x < size && dark(code.At(x, y)) {
				x++
			}
			if x > from {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", from+margin, y+margin, x-from, x-from)
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return b.String(), nil
}

func dark(c color.Color) bool {
	r, _, _, _ := c.RGBA()
	return r == 0
}

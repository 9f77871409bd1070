package parser

import "unicode/utf8"

// ToValidUTF8 replaces invalid UTF-8 with U+FFFD, exactly as JavaScript's decoders do, which differs from
// bytes.ToValidUTF8 and from a conversion to runes. It returns b itself if b is valid.
func ToValidUTF8(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	valid := make([]byte, 0, len(b)+utf8.UTFMax)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError {
			n = runeLen(b)
		}
		valid = utf8.AppendRune(valid, r)
		b = b[n:]
	}
	return valid
}

// runeLen returns how many of the bytes at the front of b JavaScript decodes to one character: a rune or, where
// b does not begin with one, as many bytes as could begin one, or a single byte (a "maximal subpart" in the
// Unicode standard, 3.9).
func runeLen(b []byte) int {
	r, n := utf8.DecodeRune(b)
	if r != utf8.RuneError || n != 1 {
		return n
	}
	for n < len(b) && !utf8.FullRune(b[:n+1]) {
		n++
	}
	return n
}

// utf16Units returns the number of UTF-16 code units of a character, given its length by runeLen: runes of four
// bytes lie outside the basic multilingual plane and take a surrogate pair. Nothing else has four bytes.
func utf16Units(size int) int {
	if size == utf8.UTFMax {
		return 2
	}
	return 1
}

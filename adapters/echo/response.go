package eioecho

import (
	"bufio"
	"net"
	"net/http"

	"github.com/labstack/echo/v4"
)

// response is Echo's, and tells it of a hijack, which it does not notice itself: committed, so that
// nobody answers the request any more, with a status for the log.
type response struct{ *echo.Response }

func (r response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := r.Response.Hijack()
	if err == nil {
		r.Status, r.Committed = http.StatusSwitchingProtocols, true
	}
	return conn, rw, err
}

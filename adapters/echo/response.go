package eioecho

import (
	"bufio"
	"net"
	"net/http"

	"github.com/labstack/echo/v4"
)

// response is Echo's Response, which does not itself notice a hijack. It marks the Response as
// committed, so that nothing answers the request any more, and sets a status for the log.
type response struct{ *echo.Response }

func (r response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := r.Response.Hijack()
	if err == nil {
		r.Status, r.Committed = http.StatusSwitchingProtocols, true
	}
	return conn, rw, err
}

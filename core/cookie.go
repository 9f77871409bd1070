package core

import (
	"net/http"
	"time"
)

// CookieOptions describe the cookie that carries the session id. Load balancers can use it to keep a client
// on one machine; sessions never depend on it.
type CookieOptions struct {
	// Name of the cookie. Default "io".
	Name string
	// Path. Default "/".
	Path   string
	Domain string
	// MaxAge in seconds, as in http.Cookie; like Expires it makes the cookie outlive the browser's session.
	MaxAge  int
	Expires time.Time
	Secure  bool
	// AllowScripts leaves out the HttpOnly attribute.
	AllowScripts bool
	// SameSite. Default http.SameSiteLaxMode; http.SameSiteDefaultMode leaves the attribute out.
	SameSite    http.SameSite
	Partitioned bool
}

func (o CookieOptions) cookie(sid string) *http.Cookie {
	c := &http.Cookie{
		Name: o.Name, Value: sid, Path: o.Path, Domain: o.Domain, MaxAge: o.MaxAge, Expires: o.Expires,
		Secure: o.Secure, HttpOnly: !o.AllowScripts, SameSite: o.SameSite, Partitioned: o.Partitioned,
	}
	if c.Name == "" {
		c.Name = "io"
	}
	if c.Path == "" {
		c.Path = "/"
	}
	if c.SameSite == 0 {
		c.SameSite = http.SameSiteLaxMode
	}
	return c
}

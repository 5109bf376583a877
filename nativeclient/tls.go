package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"

	"hufu/shared/client"
	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
)

// dialer tells how a token's server is reached: under which authorities and
// client certificate, and through the proxy that HTTPS_PROXY names. It warns,
// once, where nothing on the way is encrypted.
func (e *env) dialer(t *wire.Token) (client.Dialer, error) {
	config, err := e.tlsConfig()
	if err != nil {
		return nil, settings.With(settings.ExitUsage, err)
	}
	for _, url := range e.servers(t) {
		if host := plainHost(url); host != "" && !e.warned {
			e.warned = true
			fmt.Fprintln(e.stderr, "hufu: "+e.T("warn_plain", host))
		}
	}
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		OnProxyConnectResponse: connected,
		TLSClientConfig:        config,
		DisableKeepAlives:      true, // a connection becomes a WebSocket or is of no use
	}
	return client.DialWith(client.DialOptions{HTTP: &http.Client{Transport: transport}}), nil
}

// tlsConfig reads the files that the TLS settings name.
func (c *Common) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, text.Errorf("err_setting", "--ca", err)
		}
		config.RootCAs = x509.NewCertPool() // in place of the system's
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, text.Errorf("err_no_pem", c.CA)
		}
	}
	switch {
	case c.TLSCert == "" && c.TLSKey == "":
		return config, nil
	case c.TLSKey == "":
		return nil, text.Errorf("err_needs", "--tls-cert", "--tls-key")
	case c.TLSCert == "":
		return nil, text.Errorf("err_needs", "--tls-key", "--tls-cert")
	}
	pair, err := c.clientCertificate()
	config.Certificates = []tls.Certificate{pair}
	return config, err
}

func (c *Common) clientCertificate() (none tls.Certificate, err error) {
	cert, err := os.ReadFile(c.TLSCert)
	if err != nil {
		return none, text.Errorf("err_setting", "--tls-cert", err)
	}
	f, err := openPrivate(c.TLSKey)
	if err != nil {
		return none, text.Errorf("err_setting", "--tls-key", err)
	}
	defer f.Close()
	key, err := io.ReadAll(f)
	if err != nil {
		return none, text.Errorf("err_setting", "--tls-key", err)
	}
	defer clear(key)
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return none, text.Errorf("err_key_pair", c.TLSCert, c.TLSKey, err)
	}
	return pair, nil
}

// plainHost is the host of an address that is reached without TLS over a
// network; empty for others.
func plainHost(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" {
		return ""
	}
	if host := u.Hostname(); host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return host
	}
	return ""
}

// proxyError says that a proxy did not open a way to the server.
type proxyError struct{ host, status string }

func (e *proxyError) Error() string {
	return fmt.Sprintf("the proxy %s answered CONNECT with %s", e.host, e.status)
}

// connected keeps of a proxy's refusal what net/http would drop. The user and
// password that the proxy's address may hold are not told.
func connected(_ context.Context, proxy *url.URL, _ *http.Request, response *http.Response) error {
	if response.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyError{proxy.Host, fmt.Sprintf("%d %s", response.StatusCode, http.StatusText(response.StatusCode))}
}

// explain words a failure on the way to the server; empty: it is another one.
func explain(lang text.Lang, err error) string {
	var answer *client.AnswerError
	var proxy *proxyError
	var op *net.OpError
	switch {
	case errors.As(err, &answer):
		return explainAnswer(lang, answer)
	case errors.As(err, &proxy):
		return lang.T("err_proxy_refused", proxy.host, proxy.status)
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return lang.T("err_proxy_lost", op.Err)
	}
	return explainTLS(lang, err)
}

func explainTLS(lang text.Lang, err error) string {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		op        *net.OpError
	)
	switch {
	case errors.As(err, &authority):
		return lang.T("err_tls_authority")
	case errors.As(err, &name):
		return lang.T("err_tls_name", name)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return lang.T("err_tls_expired", invalid)
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record):
		return lang.T("err_tls_none")
	case errors.As(err, &op) && op.Op == "remote error":
		return explainAlert(lang, op.Err)
	}
	return ""
}

// The alerts of RFC 8446 §6 by which a server turns down a client certificate,
// the first one where it may have another reason too.
const (
	alertHandshakeFailure    tls.AlertError = 40
	alertBadCertificate      tls.AlertError = 42
	alertUnsupported         tls.AlertError = 43
	alertRevoked             tls.AlertError = 44
	alertExpired             tls.AlertError = 45
	alertCertificateUnknown  tls.AlertError = 46
	alertUnknownCA           tls.AlertError = 48
	alertCertificateRequired tls.AlertError = 116
)

// explainAlert goes by the text, because crypto/tls keeps the type of an alert
// that came over TCP to itself; the texts of both types are the same.
func explainAlert(lang text.Lang, alert error) string {
	switch alert.Error() {
	case alertCertificateRequired.Error():
		return lang.T("err_tls_required")
	case alertHandshakeFailure.Error():
		return lang.T("err_tls_handshake")
	case alertBadCertificate.Error(), alertUnsupported.Error(), alertRevoked.Error(), alertExpired.Error(),
		alertCertificateUnknown.Error(), alertUnknownCA.Error():
		return lang.T("err_tls_refused", alert)
	}
	return lang.T("err_tls_alert", alert)
}

// maxLocation bounds what is shown of a redirect's target.
const maxLocation = 255

func explainAnswer(lang text.Lang, a *client.AnswerError) string {
	hint := lang.T("answer_other")
	switch a.Status {
	case http.StatusBadRequest:
		hint = lang.T("answer_400")
	case http.StatusNotFound:
		hint = lang.T("answer_404")
	case http.StatusUpgradeRequired:
		hint = lang.T("answer_426")
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		hint = lang.T("answer_502")
	case http.StatusServiceUnavailable:
		hint = lang.T("answer_503")
	}
	if a.Location != "" {
		hint = lang.T("answer_redirect", a.Location[:min(len(a.Location), maxLocation)])
	}
	return lang.T("err_answer", a.Status, http.StatusText(a.Status), hint)
}

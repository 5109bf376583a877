// Package pgtest runs a private PostgreSQL cluster for tests: in a temporary
// folder, reached through a socket in a folder that only its owner may enter,
// or over loopback with a random password. Nothing of it is left behind.
package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sys/unix"
)

const superuser = "hufu"

// maxSocket is what fits into a sockaddr_un, less the final zero.
const maxSocket = 107

// Cluster is a PostgreSQL cluster of our own. Its methods may be called by
// several goroutines, but Stop, Kill and Restart by one at a time.
type Cluster struct {
	bin      string // the folder of the binaries
	dir      string // the cluster's own, removed by Stop
	port     int
	release  func() error // gives the port back
	password string       // empty: by socket
	settings []string
	owner    *owner

	create sync.Mutex // one CREATE DATABASE at a time
	server *process   // nil while stopped
}

// Option changes how a cluster runs.
type Option func(*Cluster)

// FSync makes commits durable, as in production. Without it a cluster survives
// Kill all the same, but not the machine's loss of power.
func FSync() Option {
	return func(c *Cluster) { c.settings = append(c.settings, "fsync=on", "full_page_writes=on") }
}

// TCP lets the cluster be reached over loopback, with a random password.
func TCP() Option { return func(c *Cluster) { c.password = rand.Text() } }

// Set passes a setting, "name=value".
func Set(setting string) Option {
	return func(c *Cluster) { c.settings = append(c.settings, setting) }
}

// In puts the cluster into the folder, which must be missing or empty and is
// removed by Stop. The default is a new temporary one.
func In(dir string) Option { return func(c *Cluster) { c.dir = dir } }

// Start makes a cluster and starts it. ctx bounds the start only.
func Start(ctx context.Context, options ...Option) (_ *Cluster, err error) {
	c := &Cluster{port: 5432, release: func() error { return nil }, settings: []string{"fsync=off", "full_page_writes=off"}}
	for _, o := range options {
		o(c)
	}
	if c.bin, err = findBinaries(); err != nil {
		return nil, err
	}
	if c.owner, err = findOwner(); err != nil {
		return nil, err
	}
	if err := c.makeFolder(); err != nil {
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	if c.password != "" {
		port, release, failed := reservePort()
		if failed != nil {
			return nil, failed
		}
		c.port, c.release = port, release
	}
	if err := c.initdb(ctx); err != nil {
		return nil, err
	}
	return c, c.start(ctx)
}

// URL is the address of a database of the cluster.
func (c *Cluster) URL(database string) string {
	u := url.URL{Scheme: "postgres", Path: "/" + database}
	if c.password != "" {
		u.User = url.UserPassword(superuser, c.password)
		u.Host = net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port))
		return u.String()
	}
	u.RawQuery = url.Values{
		"host": {c.sockets()}, "port": {strconv.Itoa(c.port)}, "user": {superuser},
	}.Encode()
	return u.String()
}

// CreateDatabase makes a database, from a template if one is named. Nobody may
// be connected to the template.
func (c *Cluster) CreateDatabase(ctx context.Context, name, template string) error {
	sql := "CREATE DATABASE " + pgx.Identifier{name}.Sanitize()
	if template != "" {
		sql += " TEMPLATE " + pgx.Identifier{template}.Sanitize()
	}
	c.create.Lock()
	defer c.create.Unlock()
	return c.administer(ctx, sql)
}

// DropDatabase removes a database, and first whoever is connected to it.
func (c *Cluster) DropDatabase(ctx context.Context, name string) error {
	return c.administer(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
}

// administer has PostgreSQL do something to a database, again while somebody
// is connected to it: one that has left may take a while to be gone.
func (c *Cluster) administer(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for range 10 { // PostgreSQL waits for 5 s each time
		var refused *pgconn.PgError
		if _, err = conn.Exec(ctx, sql); !errors.As(err, &refused) || refused.Code != pgerrcode.ObjectInUse {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("pgtest: %s: %w", sql, err)
	}
	return nil
}

// Stop shuts the cluster down and removes its folder.
func (c *Cluster) Stop() error {
	err := c.server.stop()
	c.server = nil
	return errors.Join(err, c.release(), os.RemoveAll(c.dir))
}

// Kill ends every process of the cluster at once, as a crash would. Restart
// brings it back.
func (c *Cluster) Kill() error {
	err := c.server.kill()
	c.server = nil
	return err
}

// Restart starts the cluster again, after Kill or in place of the one that
// runs. Its URLs stay the same.
func (c *Cluster) Restart(ctx context.Context) error {
	if err := c.server.stop(); err != nil {
		return err
	}
	return c.start(ctx)
}

func (c *Cluster) data() string    { return filepath.Join(c.dir, "data") }
func (c *Cluster) sockets() string { return filepath.Join(c.dir, "s") }
func (c *Cluster) log() string     { return filepath.Join(c.dir, "log") }

// makeFolder makes the cluster's folder, which belongs to the user that the
// server runs as.
func (c *Cluster) makeFolder() (err error) {
	if c.dir == "" {
		parent := os.TempDir()
		if len(parent) > 60 {
			parent = "/tmp" // the path of the socket has to fit
		}
		if c.dir, err = os.MkdirTemp(parent, "hufu-pg-"); err != nil {
			return err
		}
	} else if err := c.useFolder(); err != nil {
		return err
	}
	if n := len(filepath.Join(c.sockets(), ".s.PGSQL.65535")); n > maxSocket {
		return errors.Join(fmt.Errorf("the path of the socket in %s has %d bytes, %d are possible", c.dir, n, maxSocket),
			os.Remove(c.dir))
	}
	for _, dir := range []string{c.dir, c.sockets()} {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := c.owner.own(dir); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) useFolder() (err error) {
	if c.dir, err = filepath.Abs(c.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(c.dir)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("the folder %s is not empty", c.dir)
	}
	return err
}

// initdb makes the cluster's files. Its collation is a language's, as on most
// servers, so that whatever has to be in the order of bytes must say so.
func (c *Cluster) initdb(ctx context.Context) error {
	args := []string{"-D", c.data(), "-U", superuser, "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8",
		"--locale-provider=icu", "--icu-locale=en", "--auth-local=trust", "--auth-host=scram-sha-256"}
	if c.password != "" {
		file := filepath.Join(c.dir, "password")
		if err := os.WriteFile(file, []byte(c.password+"\n"), 0o600); err != nil {
			return fmt.Errorf("pgtest: %w", err)
		}
		defer os.Remove(file)
		if err := c.owner.own(file); err != nil {
			return fmt.Errorf("pgtest: %w", err)
		}
		args = append(args, "--pwfile="+file)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, "initdb"), args...)
	cmd.Dir = c.dir
	c.owner.runs(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pgtest: initdb: %w: %s", err, out)
	}
	return nil
}

// start starts the server and waits until it can be used.
func (c *Cluster) start(ctx context.Context) (err error) {
	listen := ""
	if c.password != "" {
		listen = "127.0.0.1"
	}
	args := []string{"-D", c.data(), "-k", c.sockets(), "-p", strconv.Itoa(c.port)}
	for _, s := range append([]string{"listen_addresses=" + listen, "shared_buffers=32MB", "max_connections=80",
		"timezone=Asia/Shanghai"}, c.settings...) {
		args = append(args, "-c", s)
	}
	cmd := exec.Command(filepath.Join(c.bin, "postgres"), args...)
	cmd.Dir = c.dir
	c.owner.runs(cmd)
	if c.server, err = spawn(cmd, c.log()); err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	for {
		conn, err := pgx.Connect(ctx, c.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-c.server.done:
			log, err := os.ReadFile(c.log())
			return errors.Join(fmt.Errorf("pgtest: the server has ended: %s", log), err)
		case <-ctx.Done():
			return fmt.Errorf("pgtest: the server does not answer: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// reservePort takes a port of the loopback that the kernel gives to nobody else
// until it is released: bound, and not listened on.
func reservePort() (port int, release func() error, err error) {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, fmt.Errorf("pgtest: %w", err)
	}
	release = func() error { return unix.Close(socket) }
	err = errors.Join(
		unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), // as PostgreSQL does
		unix.Bind(socket, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	bound, failed := unix.Getsockname(socket)
	if err := errors.Join(err, failed); err != nil {
		return 0, nil, errors.Join(fmt.Errorf("pgtest: %w", err), release())
	}
	return bound.(*unix.SockaddrInet4).Port, release, nil
}

// Temppg runs a private PostgreSQL cluster for as long as somebody wants it:
// it prints the URL of an empty database and, when it gets SIGTERM or SIGINT
// or its standard input ends, stops the cluster and removes all of it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"hufu/integration/pgtest"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) (err error) {
	flags := flag.NewFlagSet("temppg", flag.ContinueOnError)
	dir := flags.String("dir", "", "the folder to use, missing or empty (default: a temporary one)")
	database := flags.String("database", "hufu", "the name of the database")
	durable := flags.Bool("fsync", false, "make commits durable")
	tcp := flags.Bool("tcp", false, "listen on loopback, with a password, in place of a socket")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	var options []pgtest.Option
	if *dir != "" {
		options = append(options, pgtest.In(*dir))
	}
	if *durable {
		options = append(options, pgtest.FSync())
	}
	if *tcp {
		options = append(options, pgtest.TCP())
	}
	start, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cluster, err := pgtest.Start(start, options...)
	if err != nil {
		return err
	}
	defer func() {
		if stop := cluster.Stop(); err == nil {
			err = stop
		}
	}()
	if err := cluster.CreateDatabase(start, *database, ""); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(stdout, cluster.URL(*database)); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, stdin) // an error ends it as well
		close(ended)
	}()
	select {
	case <-ctx.Done():
	case <-ended:
	}
	return nil
}

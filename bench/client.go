package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// connection is an HTTP/1.1 client that uses little CPU time, so that the load
// does not take time from what it measures. It supports keep-alive,
// Content-Length and chunked bodies. All servers here use keep-alive and
// Content-Length.
type connection struct {
	conn   net.Conn
	reader *bufio.Reader
}

const ioTimeout = 60 * time.Second

func dial(ctx context.Context, address string) (*connection, error) {
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &connection{conn, bufio.NewReaderSize(conn, 64<<10)}, nil
}

func (c *connection) close() { _ = c.conn.Close() }

// do sends a whole request, then reads and discards the response. size is the
// size of the response body.
func (c *connection) do(request []byte) (status, size int, err error) {
	if _, err := c.conn.Write(request); err != nil {
		return 0, 0, err
	}
	return readAnswer(c.reader, nil)
}

var contentLength, chunkedCoding = []byte("content-length:"), []byte("transfer-encoding: chunked")

// readAnswer reads one response. It writes the response body to body, or
// discards it if body is nil.
func readAnswer(reader *bufio.Reader, body io.Writer) (status, size int, err error) {
	line, err := reader.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, 0, fmt.Errorf("this is no HTTP/1.1 answer: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, fmt.Errorf("this is no status line: %q", line)
	}
	length, chunked := 0, false
	for {
		if line, err = reader.ReadSlice('\n'); err != nil {
			return 0, 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case len(line) == 0:
			if chunked {
				size, err = readChunks(reader, body)
				return status, size, err
			}
			err := readBody(reader, body, length)
			return status, length, err
		case len(line) > len(contentLength) && bytes.EqualFold(line[:len(contentLength)], contentLength):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(contentLength):]))); err != nil || length < 0 {
				return 0, 0, fmt.Errorf("this is no length: %q", line)
			}
		case bytes.EqualFold(line, chunkedCoding):
			chunked = true
		}
	}
}

func readBody(reader *bufio.Reader, body io.Writer, length int) error {
	if body == nil {
		_, err := reader.Discard(length)
		return err
	}
	_, err := io.CopyN(body, reader, int64(length))
	return err
}

func readChunks(reader *bufio.Reader, body io.Writer) (size int, err error) {
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		length, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil || length < 0 {
			return 0, fmt.Errorf("this is no chunk: %q", line)
		}
		if err := readBody(reader, body, int(length)); err != nil {
			return 0, err
		}
		size += int(length)
		if _, err := reader.Discard(2); err != nil {
			return 0, err
		}
		if length == 0 {
			return size, nil
		}
	}
}

// get returns a GET request. post returns a POST request with JSON, and patch a
// PATCH request with JSON.
func get(path string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path)
}

func post(path, body string) []byte { return withBody("POST", path, body) }

func patch(path, body string) []byte { return withBody("PATCH", path, body) }

func withBody(method, path, body string) []byte {
	return fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		method, path, len(body), body)
}

// load is the result of one run of load.
type load struct {
	rate    float64                 // responses per second
	latency *hdrhistogram.Histogram // in µs
}

// newHistogram returns a histogram for latencies from 1 µs to 1 minute, with
// three significant digits.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 60_000_000, 3) }

// request returns the n-th request of a worker.
type request func(worker, n int) []byte

// closedLoop runs workers that send one request after the other for this length
// of time, each on its own connection. A worker stops at its first response
// with a status other than 200.
func closedLoop(ctx context.Context, address string, workers int, length time.Duration, next request) (load, error) {
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	return together(ctx, workers, address, func(c *connection, worker int, latency *hdrhistogram.Histogram) error {
		for n := 0; ctx.Err() == nil; n++ {
			bytes, start := next(worker, n), time.Now()
			if err := c.expect200(bytes); err != nil {
				return err
			}
			_ = latency.RecordValue(time.Since(start).Microseconds())
		}
		return nil
	})
}

// openLoop runs workers that send requests at a fixed rate for this length of
// time, even if responses are late. Latency is measured from the time when a
// request was due, so that a pause of the server is not hidden (coordinated
// omission).
func openLoop(ctx context.Context, address string, workers int, rate float64, length time.Duration, next request) (load, error) {
	start := time.Now()
	interval := time.Duration(float64(workers) / rate * float64(time.Second))
	return together(ctx, workers, address, func(c *connection, worker int, latency *hdrhistogram.Histogram) error {
		due := start.Add(interval * time.Duration(worker) / time.Duration(workers))
		for n := 0; due.Sub(start) < length && ctx.Err() == nil; n++ {
			wait(ctx, time.Until(due))
			if err := c.expect200(next(worker, n)); err != nil {
				return err
			}
			_ = latency.RecordValue(time.Since(due).Microseconds())
			due = due.Add(interval)
		}
		return nil
	})
}

// wait returns after pause, or when ctx ends.
func wait(ctx context.Context, pause time.Duration) {
	if pause <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}

func (c *connection) expect200(request []byte) error {
	_ = c.conn.SetDeadline(time.Now().Add(ioTimeout))
	status, _, err := c.do(request)
	if err == nil && status != 200 {
		line, _, _ := bytes.Cut(request, []byte("\r\n"))
		err = fmt.Errorf("got status %d for %s", status, line)
	}
	return err
}

// together runs work in this number of workers, and combines their results.
func together(
	ctx context.Context, workers int, address string, work func(c *connection, worker int, latency *hdrhistogram.Histogram) error,
) (load, error) {
	found := load{latency: newHistogram()}
	var mu sync.Mutex
	var group sync.WaitGroup
	var failures []error
	start := time.Now()
	for worker := range workers {
		group.Go(func() {
			latency := newHistogram()
			c, err := dial(ctx, address)
			if err == nil {
				err = work(c, worker, latency)
				c.close()
			}
			mu.Lock()
			defer mu.Unlock()
			found.latency.Merge(latency)
			failures = append(failures, err)
		})
	}
	group.Wait()
	found.rate = float64(found.latency.TotalCount()) / time.Since(start).Seconds()
	return found, errors.Join(failures...)
}

// fetch sends a GET request. It returns an error unless the status is 200.
func fetch(ctx context.Context, address, path string) error {
	c, err := dial(ctx, address)
	if err != nil {
		return err
	}
	defer c.close()
	return c.expect200(get(path))
}

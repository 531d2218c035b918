package cli_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/gostem/gostem/stem/cli"
)

// terminal opens a terminal of some columns: what is typed into keys is read from tty, and what is written to tty shows on keys.
func terminal(t *testing.T, columns uint16) (keys, tty *os.File) {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	var unlocked, name int32
	control(t, keys, syscall.TIOCSPTLCK, unsafe.Pointer(&unlocked))
	control(t, keys, syscall.TIOCGPTN, unsafe.Pointer(&name))
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", name), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	size := [4]uint16{24, columns}
	control(t, tty, syscall.TIOCSWINSZ, unsafe.Pointer(&size))
	return keys, tty
}

func control(t *testing.T, file *os.File, request uintptr, arg unsafe.Pointer) {
	t.Helper()
	connection, err := file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var errno syscall.Errno
	if err := connection.Control(func(fd uintptr) { _, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(arg)) }); err != nil || errno != 0 {
		t.Fatal(err, errno)
	}
}

// contexts leaves a context behind for the command to show or forget.
func contexts(t *testing.T) {
	t.Helper()
	t.Setenv("STEM_CONFIG", filepath.Join(t.TempDir(), "contexts.yaml"))
	args := []string{"context", "set", "prod", "--broker", "redis://a-host-with-a-long-name.example.com:6379/0"}
	if code := cli.Main(context.Background(), cli.Config{}, args, nil, io.Discard, io.Discard); code != cli.ExitOK {
		t.Fatalf("got exit code %d, want 0", code)
	}
}

func TestSomebodyAtATerminalIsAsked(t *testing.T) {
	for _, c := range []struct {
		typed string
		want  int
	}{{"n\n", cli.ExitRefused}, {"\n", cli.ExitRefused}, {"y\n", cli.ExitOK}, {"YES\n", cli.ExitOK}} {
		t.Run(strings.TrimSpace(c.typed), func(t *testing.T) {
			contexts(t)
			keys, tty := terminal(t, 80)
			if _, err := keys.WriteString(c.typed); err != nil {
				t.Fatal(err)
			}
			var talk strings.Builder
			got := cli.Main(t.Context(), cli.Config{}, []string{"context", "delete", "prod"}, tty, io.Discard, &talk)
			if got != c.want {
				t.Errorf("got exit code %d, want %d", got, c.want)
			}
			if !strings.HasPrefix(talk.String(), "forget context prod? [y/N] ") {
				t.Errorf("got %q, want a question", talk.String())
			}
		})
	}
}

func TestATableOnATerminalIsCutAndInColourUnlessThatIsNotWanted(t *testing.T) {
	for name, c := range map[string]struct {
		args, env       []string
		colour, isShort bool
	}{
		"a terminal":          {nil, nil, true, true},
		"NO_COLOR":            {nil, []string{"NO_COLOR", "1"}, false, true},
		"--no-color":          {[]string{"--no-color"}, nil, false, true},
		"wide":                {[]string{"-o", "wide"}, nil, true, false},
		"a dumb terminal":     {nil, []string{"TERM", "dumb"}, false, true},
		"JSON is not a table": {[]string{"-o", "json"}, nil, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			contexts(t)
			t.Setenv("TERM", "xterm")
			if c.env != nil {
				t.Setenv(c.env[0], c.env[1])
			}
			keys, tty := terminal(t, 40)
			cli.Main(t.Context(), cli.Config{}, append([]string{"context", "list"}, c.args...), nil, tty, io.Discard)
			_ = tty.Close()
			shown, _ := io.ReadAll(keys) // which ends in an error when nobody holds the terminal
			if got := strings.Contains(string(shown), "\x1b["); got != c.colour {
				t.Errorf("got colour %v, want %v: %q", got, c.colour, shown)
			}
			if got := !strings.Contains(string(shown), "example.com:6379/0"); got != c.isShort {
				t.Errorf("got cut %v, want %v: %q", got, c.isShort, shown)
			}
		})
	}
}

func TestATableInAPipeIsNeitherCutNorInColour(t *testing.T) {
	contexts(t)
	var out strings.Builder
	cli.Main(t.Context(), cli.Config{}, []string{"context", "list"}, nil, &out, io.Discard)
	if !strings.Contains(out.String(), "example.com:6379/0") || strings.Contains(out.String(), "\x1b") {
		t.Errorf("got %q", out.String())
	}
}

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockName is the file in a data folder whose lock says that a process serves the folder.
const lockName = "otklik.lock"

// lockPatience is how long a starter waits for a holder that is about to end: a child whose parent was killed.
const lockPatience = 15 * time.Second

// LockedError says that another process serves the data folder.
type LockedError struct {
	Dir string
	PID int // of the process that holds the folder; 0 when it has not said so yet
}

// Error names the folder and the process, and says what to do.
func (e *LockedError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("data folder %s is in use by %s; stop that process or name another folder", e.Dir, who)
}

// A lock is a held flock(2) on a data folder. It belongs to the open file, so a child that inherits the file holds it
// for as long as it lives, whatever becomes of its parent.
type lock struct{ file *os.File }

// acquire locks dir. A holder whose own parent has died is about to end, and is waited for; any other is refused at
// once with a *LockedError.
func acquire(ctx context.Context, dir string) (*lock, error) {
	path := filepath.Join(dir, lockName)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data folder %s: %w", dir, err)
	}
	patience := time.NewTimer(lockPatience)
	defer patience.Stop()
	retry := time.NewTicker(50 * time.Millisecond)
	defer retry.Stop()
	for attempt := 0; ; attempt++ {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return &lock{file: file}, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("lock data folder %s: %w", dir, err), file.Close())
		}
		holder, owner, err := lockHolder(path)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock data folder %s: %w", dir, err), file.Close())
		}
		// A look by serving() holds the lock shared for an instant, which the first attempts forgive.
		if attempt > 20 && alive(holder) && alive(owner) {
			return nil, errors.Join(&LockedError{Dir: dir, PID: holder}, file.Close())
		}
		select {
		case <-retry.C:
		case <-patience.C:
			return nil, errors.Join(&LockedError{Dir: dir, PID: holder}, file.Close())
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("lock data folder %s: %w", dir, context.Cause(ctx)), file.Close())
		}
	}
}

// claim writes down who holds the lock: the process that works on the data, and the one that owns it and whose death
// it does not survive.
func (l *lock) claim(holder, owner int) error {
	text := fmt.Sprintf("%d %d\n", holder, owner)
	if err := l.file.Truncate(0); err != nil {
		return fmt.Errorf("write %s: %w", l.file.Name(), err)
	}
	if _, err := l.file.WriteAt([]byte(text), 0); err != nil {
		return fmt.Errorf("write %s: %w", l.file.Name(), err)
	}
	return nil
}

// release gives up this process's hold; a child that inherited the file keeps its own.
func (l *lock) release() error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("release %s: %w", l.file.Name(), err)
	}
	return nil
}

// serving reports whether a process holds the lock of dir.
func serving(dir string) (bool, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at the lock of %s: %w", dir, err)
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	held := errors.Is(err, unix.EWOULDBLOCK)
	if held {
		err = nil
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return false, fmt.Errorf("look at the lock of %s: %w", dir, err)
	}
	return held, nil
}

// lockHolder reads what claim wrote; zeros when nothing was written yet.
func lockHolder(path string) (holder, owner int, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) != 2 {
		return 0, 0, nil
	}
	if holder, err = strconv.Atoi(fields[0]); err != nil {
		return 0, 0, fmt.Errorf("read %s: %w", path, err)
	}
	if owner, err = strconv.Atoi(fields[1]); err != nil {
		return 0, 0, fmt.Errorf("read %s: %w", path, err)
	}
	return holder, owner, nil
}

// alive reports whether a process with this id exists; id 0 stands for "not known" and counts as alive.
func alive(pid int) bool {
	if pid == 0 {
		return true
	}
	err := unix.Kill(pid, 0)
	return err == nil || errors.Is(err, unix.EPERM)
}

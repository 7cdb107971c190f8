package embedded

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

const (
	// LibraryEnv names the environment variable with the path of libchdb.so.
	LibraryEnv = "OTKLIK_LIBCHDB"

	libraryName = "libchdb.so" // on every platform, macOS included
)

// LibraryError says that no ClickHouse library was found, where it was looked for, and what to do.
type LibraryError struct {
	Looked []string // the places, in the order they were tried
}

// Error lists the places and the remedy.
func (e *LibraryError) Error() string {
	return fmt.Sprintf("the ClickHouse library %s is missing; run `make setup` (or `npm ci` in deploy/embedded), or set %s to its path; looked at:\n  %s",
		libraryName, LibraryEnv, strings.Join(e.Looked, "\n  "))
}

// PlatformPackage returns the npm package that ships the ClickHouse library of this platform, such as
// "@chdb/lib-linux-x64-gnu", or "" where none exists.
func PlatformPackage() string {
	switch runtime.GOOS + "/" + runtime.GOARCH {
	case "linux/amd64":
		return "@chdb/lib-linux-x64-gnu"
	case "linux/arm64":
		return "@chdb/lib-linux-arm64-gnu"
	case "darwin/amd64":
		return "@chdb/lib-darwin-x64"
	case "darwin/arm64":
		return "@chdb/lib-darwin-arm64"
	}
	return ""
}

// FindLibrary returns the path of libchdb.so. It looks, in this order, at explicit (if not empty), at the environment
// variable OTKLIK_LIBCHDB, beside the binary (<folder of the binary>/../deploy/embedded/node_modules), in the
// Go module that contains the working folder (under `go test` and `go run`), and in the user's cache folder
// (otklik/libchdb.so). A path that was named but does not exist is an error, not a reason to look further. Errors
// are of type *LibraryError.
func FindLibrary(explicit string) (string, error) {
	for _, named := range []struct{ path, origin string }{
		{explicit, "configuration"},
		{os.Getenv(LibraryEnv), LibraryEnv},
	} {
		if named.path == "" {
			continue
		}
		if !isFile(named.path) {
			return "", &LibraryError{Looked: []string{named.path + " (from " + named.origin + ")"}}
		}
		return filepath.Abs(named.path)
	}
	var looked []string
	for _, path := range libraryPlaces() {
		if isFile(path) {
			return path, nil
		}
		looked = append(looked, path)
	}
	if PlatformPackage() == "" {
		looked = append(looked, fmt.Sprintf("npm (there is no package for %s/%s: run a ClickHouse server and configure its address)",
			runtime.GOOS, runtime.GOARCH))
	}
	return "", &LibraryError{Looked: looked}
}

func libraryPlaces() []string {
	var places []string
	pkg := PlatformPackage()
	if pkg != "" {
		within := filepath.Join("deploy", "embedded", "node_modules", filepath.FromSlash(pkg), libraryName)
		if binary, err := os.Executable(); err == nil {
			if resolved, err := filepath.EvalSymlinks(binary); err == nil {
				binary = resolved
			}
			places = append(places, filepath.Join(filepath.Dir(binary), "..", within))
		}
		if root, ok := ModuleRoot(); ok {
			places = append(places, filepath.Join(root, within))
		}
	}
	if cache, err := os.UserCacheDir(); err == nil {
		places = append(places, filepath.Join(cache, "otklik", libraryName))
	}
	return places
}

// ModuleRoot returns the folder of the go.mod of module otklik at or above the working folder; ok is false where there is none.
func ModuleRoot() (dir string, ok bool) {
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil {
			first, _, _ := strings.Cut(string(text), "\n")
			return dir, strings.TrimSpace(first) == "module otklik"
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&fs.ModeType == 0
}

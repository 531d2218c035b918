package main

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// textFiles gives the files to inspect: those named, and the text files of the
// folders named. A path that cannot be read is among them, so that its task
// says why.
func textFiles(paths []string) []string {
	var files []string
	for _, root := range paths {
		root = filepath.Clean(root)
		_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				files = append(files, path)
			case path == root && !entry.IsDir():
				files = append(files, path)
			case entry.IsDir() && path != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata"):
				return filepath.SkipDir
			case entry.Type().IsRegular() && isText(path):
				files = append(files, path)
			}
			return nil
		})
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// isText goes by the name; inspecting a file that is no text does no harm.
func isText(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".go", ".md", ".mod", ".txt", ".txtar", ".yml", ".yaml":
		return true
	default:
		return false
	}
}

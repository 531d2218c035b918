package cli

import (
	"cmp"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// versionView is what is shown of a build.
type versionView struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Stem     string `json:"stem"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// stemModule is the module of this package.
const stemModule = "github.com/gostem/gostem"

// version tells of the program that runs. Its own version is that of its configuration, else that of its main module.
func (c Config) version() versionView {
	v := versionView{Name: c.Name, Version: c.Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		v.Version, v.Stem = cmp.Or(v.Version, "unknown"), "unknown"
		return v
	}
	v.Version = cmp.Or(v.Version, build.Main.Version, "unknown")
	for _, m := range append(build.Deps, &build.Main) {
		if m.Path == stemModule {
			v.Stem = m.Version
		}
	}
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	v.Stem = cmp.Or(v.Stem, "unknown")
	return v
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Show of which version and revision this program is",
		Example: "  stem version -o json",
		Args:    wants(0, 0, "none"),
		RunE: func(*cobra.Command, []string) error {
			v := p.cfg.version()
			d := detail{name: v.Version}
			d.field(v.Name, v.Version)
			d.field("Stem", v.Stem)
			d.field("Revision", v.Revision)
			if v.Modified {
				d.field("Modified", "yes: built of files that were not committed")
			}
			d.field("Go", v.Go+" "+v.Platform)
			return p.printer.show(v, d)
		},
	}
}

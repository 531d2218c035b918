package stemgen

import (
	"fmt"
	"go/token"
	"go/types"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/gostem/gostem/internal/nearest"
)

// A candidate is a field that might travel, before it is settled which of several
// with one name does.
type candidate struct {
	Field
	depth   int
	pos     token.Position
	foreign bool  // it is of another package
	index   []int // from the outermost struct
}

// fields gives the fields of a struct that travel, in the order of declaration, those
// of embedded structs among them. Of several with one wire name the shallowest wins,
// as in Go itself; two at one depth are refused.
func (b *builder) fields(t types.Type, s *types.Struct, at trail) []Field {
	before := b.rep.errors
	c := &fieldCollector{builder: b, outer: t}
	c.collect(s, at, candidate{})
	var fields []Field
	byWire := make(map[string]candidate)
	for _, f := range c.found {
		if best, seen := byWire[f.Wire]; !seen || f.depth < best.depth {
			byWire[f.Wire] = f
		}
	}
	for _, f := range c.found {
		switch best := byWire[f.Wire]; {
		case f.depth > best.depth:
			if !f.foreign {
				b.rep.warnf(f.pos, CodeFieldClash, "give one of them another name with a tag, or leave this one out with `msgpack:\"-\"`",
					"%s.%s does not travel: %s.%s hides it, which travels as %q too", at.path, f.Select, at.path, best.Select, f.Wire)
			}
		case !slices.Equal(f.index, best.index):
			b.rep.errorf(f.pos, CodeFieldClash, "give one of them another name with a tag, or leave it out with `msgpack:\"-\"`",
				"%s.%s and %s.%s both travel as %q", at.path, f.Select, at.path, best.Select, f.Wire).see(best.pos, "the first one")
		default:
			fields = append(fields, f.Field)
		}
	}
	for _, f := range c.found {
		for _, alias := range f.Aliases {
			if _, taken := byWire[alias]; taken {
				b.rep.errorf(f.pos, CodeFieldClash, "drop the alias", "%s.%s is also read from %q, which another field travels as", at.path, f.Select, alias).
					see(byWire[alias].pos, "the other field")
			}
			byWire[alias] = f
		}
	}
	if len(fields) == 0 && !holdsNothing(s) && !c.excluded && b.rep.errors == before {
		b.rep.errorf(at.pos, CodeEmptyStruct, "carry the values that matter, or leave the field out with `msgpack:\"-\"`",
			"%s cannot travel: all fields of %s are unexported, so that nothing of it would arrive", at.path, b.short(t))
	}
	return fields
}

// holdsNothing tells whether all values of a type are alike, so that nothing of one can
// be lost: an empty struct, or one that embeds such as a mark.
func holdsNothing(t types.Type) bool {
	s, ok := t.Underlying().(*types.Struct)
	if !ok {
		return false
	}
	for f := range s.Fields() {
		if !holdsNothing(f.Type()) {
			return false
		}
	}
	return true
}

type fieldCollector struct {
	*builder
	outer    types.Type
	found    []candidate
	excluded bool           // the author left out fields
	inside   []*types.Named // the embedded types on the way
}

// collect adds the fields of s; base says how s itself is reached.
func (c *fieldCollector) collect(s *types.Struct, at trail, base candidate) {
	for i := range s.NumFields() {
		f := s.Field(i)
		to := c.fieldPlace(f, at)
		tag, ok := c.readTag(s.Tag(i), f, to)
		if !ok {
			c.excluded = true
			continue
		}
		next := candidate{
			Field:   Field{Wire: tag.name, Aliases: tag.aliases, OmitEmpty: tag.omitEmpty, OmitZero: tag.omitZero, Select: join(base.Select, f.Name()), Via: base.Via, Doc: c.comments[f.Pos()]},
			depth:   base.depth,
			pos:     to.pos,
			foreign: to.foreign,
			index:   append(base.index[:len(base.index):len(base.index)], i),
		}
		if next.Wire == "" {
			next.Wire = f.Name()
		}
		switch {
		case f.Embedded() && c.promote(f, tag, to, next):
		case !f.Exported():
			if tag.given && f.Pkg().Path() == c.src.PkgPath {
				c.rep.warnf(to.pos, CodeTaggedHidden, "export the field, or drop its tag", "%s has a tag but is unexported, and does not travel", to.path)
			}
		default:
			next.Type = c.wire(f.Type(), to)
			c.judgeOmission(next.Field, to)
			if c.reach(&next, f) {
				c.found = append(c.found, next)
			} else {
				c.rep.errorf(to.pos, CodeEmbedded, "carry a type of your own with the same fields", "%s cannot travel: package %s does not export what it is embedded in", to.path, f.Pkg().Name())
			}
		}
	}
}

// promote takes the fields of an embedded struct for those of the outer one. It
// leaves other embedded types to be fields under their own names, and those whose tag
// says noinline.
func (c *fieldCollector) promote(f *types.Var, tag fieldTag, at trail, to candidate) bool {
	t := types.Unalias(f.Type())
	pointer, isPointer := t.(*types.Pointer)
	if isPointer {
		t = types.Unalias(pointer.Elem())
	}
	s, isStruct := t.Underlying().(*types.Struct)
	named, _ := t.(*types.Named)
	switch {
	case isStruct && isTime(s) || named != nil && c.marshaler(&Type{}, named, at):
		c.rep.errorf(at.pos, CodeEmbedded, "give the field a name", "%s is embedded: its methods would speak for the whole struct", at.path)
		return true
	case !isStruct:
		if tag.inline {
			c.rep.errorf(at.pos, CodeBadTag, "drop inline", "%s: the tag's option inline is for structs, which have fields to take in", at.path)
		}
		return false
	case tag.noInline:
		if !f.Exported() {
			c.rep.errorf(at.pos, CodeBadTag, "export the type, or drop noinline to have its fields promoted", "%s: with noinline it is a field of its own, and it is unexported", at.path)
		}
		return !f.Exported()
	case tag.name != "":
		c.rep.errorf(at.pos, CodeBadTag, "drop the tag's name to have its fields promoted, or add noinline to have one field of this name", "%s is embedded and has a tag with a name: MessagePack libraries differ in what that means", at.path)
		return true
	case tag.omitEmpty || tag.omitZero || tag.aliases != nil:
		c.rep.errorf(at.pos, CodeBadTag, "give the options to its fields, or add noinline to have one field", "%s is embedded: its fields travel, and it is none of them, so that it can neither be left out nor have an alias", at.path)
		return true
	}
	for _, outer := range c.inside {
		if outer == named {
			return true // embeds itself: Go promotes nothing either
		}
	}
	if isPointer {
		if !f.Exported() && f.Pkg().Path() != c.src.PkgPath {
			c.rep.errorf(at.pos, CodeEmbedded, "carry a type of your own with the same fields", "%s cannot travel: package %s does not export what it embeds, so that it cannot be made", at.path, f.Pkg().Name())
			return true
		}
		to.Via = append(to.Via[:len(to.Via):len(to.Via)], Hop{Select: to.Select, Elem: c.goType(t, at)})
	}
	if named != nil {
		c.named = append(c.named, named)
	}
	c.inside = append(c.inside, named)
	to.depth++
	c.collect(s, at, to)
	c.inside = c.inside[:len(c.inside)-1]
	return true
}

// reach makes sure that the generated file can select the field. The full path says
// most; where it leads through an embedded type that another package keeps to
// itself, the promoted name has to do.
func (c *fieldCollector) reach(f *candidate, v *types.Var) bool {
	if v.Pkg().Path() == c.src.PkgPath || !strings.Contains(f.Select, ".") {
		return true
	}
	hidden := false
	for name := range strings.SplitSeq(f.Select, ".") {
		hidden = hidden || !token.IsExported(name)
	}
	if !hidden {
		return true
	}
	_, index, _ := types.LookupFieldOrMethod(c.outer, true, c.view.pkg, v.Name())
	f.Select = v.Name()
	return slices.Equal(index, f.index)
}

// fieldPlace goes from a struct to one of its fields. A place in another package
// helps nobody, so there the place stays that of the struct.
func (b *builder) fieldPlace(f *types.Var, at trail) trail {
	at.path = join(at.path, f.Name())
	if f.Pkg().Path() == b.src.PkgPath && f.Pos().IsValid() {
		at.pos, at.from, at.to = b.position(f.Pos()), f.Pos(), b.lineEnd(f.Pos())
		return at
	}
	at.foreign = true
	return at
}

// lineEnd gives the end of the line on which pos lies.
func (b *builder) lineEnd(pos token.Pos) token.Pos {
	file := b.prog.fset.File(pos)
	line := file.Line(pos)
	if line >= file.LineCount() {
		return token.Pos(file.Base() + file.Size())
	}
	return file.LineStart(line+1) - 1
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// A fieldTag is what a field's tag says about how it travels.
type fieldTag struct {
	given               bool
	name                string
	omitEmpty, omitZero bool
	inline, noInline    bool
	aliases             []string
}

// readTag reads `msgpack:"name,omitempty"`. It gives false for a field that its
// author leaves out.
func (b *builder) readTag(tag string, f *types.Var, at trail) (fieldTag, bool) {
	value, given := reflect.StructTag(tag).Lookup("msgpack")
	if !given && ourKey.MatchString(unreadTag(tag)) {
		b.badTag(at, "write each key of it as key:\"value\", with nothing behind the colon but the quotes", "Go cannot read the tag `%s`", tag)
	}
	name, list, more := strings.Cut(value, ",")
	if name == "-" {
		if more {
			b.badTag(at, "write `msgpack:\"-\"` to leave the field out, or give it another name", "the tag %q could mean that the field is left out, or that it is called -", value)
		}
		return fieldTag{}, false
	}
	if given && f.Name() == "_msgpack" {
		b.badTag(at, "write the options on each field they are for", "a tag that speaks for the whole struct is not understood, and structs always travel as maps")
		return fieldTag{}, false
	}
	t := fieldTag{given: given, name: name}
	for option := range strings.SplitSeq(list, ",") {
		key, arg, _ := strings.Cut(option, ":")
		switch {
		case key == "":
		case key == "omitempty":
			t.omitEmpty = true
		case key == "omitzero":
			t.omitZero = true
		case key == "inline":
			t.inline = true
		case key == "noinline":
			t.noInline = true
		case key == "alias" && arg != "":
			t.aliases = append(t.aliases, arg)
		case key == "alias":
			b.badTag(at, "write alias:old", "the tag's option alias has no name")
		case key == "as_array", key == "asArray":
			b.badTag(at, "drop it", "the tag's option %s is not understood: structs travel as maps, so that fields may come and go", key)
		case key == "intern":
			b.badTag(at, "drop it", "the tag's option intern is not understood: every string stands where it is used")
		default:
			fix := "the options are omitempty, omitzero, inline, noinline and alias:old"
			if guess := nearest.To(key, []string{"omitempty", "omitzero", "alias", "inline", "noinline"}); guess != "" {
				fix = fmt.Sprintf("did you mean %q?", guess)
			}
			b.badTag(at, fix, "the tag has an unknown option %q", key)
		}
	}
	b.judgeTag(t, f, at)
	return t, true
}

// judgeTag refuses options that do not go together, or not with the field.
func (b *builder) judgeTag(t fieldTag, f *types.Var, at trail) {
	switch {
	case t.inline && t.noInline:
		b.badTag(at, "drop one of them", "the tag has both inline and noinline")
	case (t.inline || t.noInline) && !f.Embedded():
		b.badTag(at, "embed the struct to have its fields promoted, else drop the option", "the tag's options inline and noinline are for embedded fields")
	case t.omitEmpty && t.omitZero:
		b.badTag(at, "drop omitzero, or omitempty to keep what is empty and not zero, such as a list without elements",
			"the tag has both omitempty and omitzero: whatever is zero is empty too")
	}
}

func (b *builder) badTag(at trail, fix, format string, args ...any) {
	b.rep.errorf(at.pos, CodeBadTag, fix, "%s: "+format, append([]any{at.path}, args...)...)
}

var (
	tagPair = regexp.MustCompile(`^ *[^\x00-\x20":\x7f]+:"(\\.|[^"\\])*"`)
	ourKey  = regexp.MustCompile(`\bmsgpack\b`)
)

// unreadTag gives what is left of a tag where package reflect stops to read it: at
// what is no key:"value".
func unreadTag(tag string) string {
	for {
		pair := tagPair.FindString(tag)
		if pair == "" {
			return tag
		}
		tag = tag[len(pair):]
	}
}

// judgeOmission refuses omitempty and omitzero where they would leave out nothing, or
// everything.
func (b *builder) judgeOmission(f Field, at trail) {
	t := f.Type
	switch {
	case !f.Optional() || t.HasZero:
	case t.Kind == Struct && len(t.Fields) == 0, t.Kind == Array && t.Len == 0:
		b.badTag(at, "leave the field out with `msgpack:\"-\"`", "it would never travel, for nothing is in it")
	case f.OmitZero:
		if t.Marshals() && t.Zero == "{}" && !t.Comparable {
			b.badTag(at, "use a pointer, or give the type a method IsZero", "values of %s cannot be compared with the zero value", t.Go.Name)
		}
		b.needZeroTest(t)
	case t.Kind == Array || t.Kind == ByteArray || t.Kind == ByteEnumArray:
		b.badTag(at, "write omitzero, or drop omitempty", "omitempty never leaves out an array")
	case t.Kind == Struct:
		for _, inner := range t.Fields {
			if !inner.Optional() {
				b.badTag(at, "write omitzero, or use a pointer", "omitempty never leaves out a struct whose field %s is always there", inner.Select)
				return
			}
		}
	case t.Marshals() && t.Zero == "{}":
		b.badTag(at, "write omitzero, use a pointer, or drop omitempty", "omitempty never leaves out a value of this type")
	}
}

// needZeroTest asks for functions that tell whether values are zero: of structs and
// arrays, and of those within them.
func (b *builder) needZeroTest(t *Type) {
	if t.HasZero || t.ZeroTest || t.Kind != Struct && t.Kind != Array {
		return
	}
	t.ZeroTest = true
	if t.Kind == Array {
		b.needZeroTest(t.Elem)
	}
	for _, f := range t.Fields {
		b.needZeroTest(f.Type)
	}
}

package main

import "slices"

// row is what is known of a system by one measure: medians, and medians of the ratios within single rounds.
type row struct {
	outcome
	figures
	byRate map[string]float64 // its rate, to that of others
	byCPU  map[string]float64 // how many tasks it does with a second of CPU, client's and server's, to others
}

func rowsOf(all []outcome) []row {
	rows := make([]row, len(all))
	for i, o := range all {
		rows[i] = row{outcome: o, figures: medians(o.Rounds), byRate: make(map[string]float64), byCPU: make(map[string]float64)}
		for _, other := range all {
			if other.Measure == o.Measure {
				rows[i].byRate[other.System] = ratio(o, other, func(f figures) float64 { return f.Rate })
				rows[i].byCPU[other.System] = ratio(other, o, func(f figures) float64 { return f.ClientCPU + f.ServerCPU })
			}
		}
	}
	return rows
}

// ratio is the median of what one has by what the other has in the same round; 0 where there is none.
func ratio(one, other outcome, of func(figures) float64) float64 {
	var ratios []float64
	for i := range one.Rounds {
		if by := of(other.Rounds[i]); by > 0 {
			ratios = append(ratios, of(one.Rounds[i])/by)
		}
	}
	return median(ratios)
}

func medians(rounds []figures) figures {
	of := func(get func(figures) float64) float64 {
		values := make([]float64, len(rounds))
		for i, f := range rounds {
			values[i] = get(f)
		}
		return median(values)
	}
	return figures{
		Rate:       of(func(f figures) float64 { return f.Rate }),
		P50:        of(func(f figures) float64 { return f.P50 }),
		P95:        of(func(f figures) float64 { return f.P95 }),
		P99:        of(func(f figures) float64 { return f.P99 }),
		ClientCPU:  of(func(f figures) float64 { return f.ClientCPU }),
		ServerCPU:  of(func(f figures) float64 { return f.ServerCPU }),
		Allocs:     of(func(f figures) float64 { return f.Allocs }),
		Commands:   of(func(f figures) float64 { return f.Commands }),
		Trips:      of(func(f figures) float64 { return f.Trips }),
		WAL:        of(func(f figures) float64 { return f.WAL }),
		ClientPeak: of(func(f figures) float64 { return f.ClientPeak }),
		ServerPeak: of(func(f figures) float64 { return f.ServerPeak }),
		Stored:     of(func(f figures) float64 { return f.Stored }),
		Kept:       of(func(f figures) float64 { return f.Kept }),
		AtFirst:    of(func(f figures) float64 { return f.AtFirst }),
		Slower:     of(func(f figures) float64 { return f.Slower }),
		Idle:       of(func(f figures) float64 { return f.Idle }),
	}
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return (values[len(values)/2] + values[(len(values)-1)/2]) / 2
}

# SPDX-License-Identifier: MIT
# Draws what `qsse-bench --sweep --data DATA` found, one file for each plot:
# gnuplot -e "data='DATA'; out='docs/performance-'; contenders='floor naive qsse'" plots.gp
# Columns: subscribers, CPU per delivery, median, 99 %, bytes per subscriber, idle CPU.

set terminal svg size 720,440 font "sans-serif,13" background rgb "white"
set key above horizontal left Left reverse samplen 2
set grid lc rgb "#dddddd" lw 1
set border 3
set tics nomirror out
set logscale x
set datafile missing "-"
set format x "%.0f"
set xlabel "subscribers"
set xrange [8:25000]

set linetype 1 lc rgb "#666666" lw 2 pt 7 ps 0.6
set linetype 2 lc rgb "#c8553d" lw 2 pt 5 ps 0.6
set linetype 3 lc rgb "#1f6feb" lw 2 pt 9 ps 0.8
set linetype 4 lc rgb "#2a9d5c" lw 2 pt 11 ps 0.8
set linetype 5 lc rgb "#8a4fbf" lw 2 pt 13 ps 0.8

file(name) = data . "/" . name . ".dat"

set output out . "fanout.svg"
set title "What one delivery costs the server"
set ylabel "CPU, µs"
set logscale y
set yrange [5:*]
plot for [name in contenders] file(name) using 1:2 with linespoints title name
unset logscale y

set output out . "latency.svg"
set title "From notify() to the client, median and 99 %"
set ylabel "ms"
set logscale y
set yrange [*:*]
plot for [i=1:words(contenders)] file(word(contenders, i)) using 1:3 \
         with linespoints lt i title word(contenders, i), \
     for [i=1:words(contenders)] file(word(contenders, i)) using 1:4 \
         with linespoints lt i dt 2 notitle
unset logscale y

# With fewer it is the process that is measured, and not its subscribers.
set output out . "memory.svg"
set title "Memory of the server's process"
set ylabel "KiB per subscriber"
set xrange [800:25000]
set yrange [0:*]
plot for [name in contenders] file(name) using ($1 < 800 ? NaN : $1):($5 / 1024) \
         with linespoints title name
set xrange [8:25000]

set output out . "idle.svg"
set title "What it costs to keep streams open when nothing is published"
set ylabel "CPU, % of a core"
set yrange [0:*]
plot for [name in contenders] file(name) using 1:6 with linespoints title name

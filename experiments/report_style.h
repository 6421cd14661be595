/* How report.html looks. */
#ifndef EXPERIMENTS_REPORT_STYLE_H
#define EXPERIMENTS_REPORT_STYLE_H

/* The rules for svg turn gnuplot's ink and paper, which it writes as attributes, into the page's. */
#define REPORT_STYLE \
	":root{--paper:#fff;--ink:#1c1c1c;--soft:#5a5a5a;--rule:#d8d8d8;--band:#f5f5f5;--link:#0b5c94;--bad:#a33000}" \
	"\n" \
	"@media screen and " \
	"(prefers-color-scheme:dark){:root{--paper:#161616;--ink:#e8e8e8;--soft:#a8a8a8;--rule:#3a3a3a;" \
	"--band:#202020;--link:#7cc0f0;--bad:#ff9a66}}\n" \
	"*{box-sizing:border-box}\n" \
	"body{margin:0 auto;max-width:62rem;padding:1rem;background:var(--paper);color:var(--ink);" \
	"font:1rem/1.5 system-ui,\"DejaVu Sans\",sans-serif}\n" \
	"h1{font-size:1.7rem;margin:.5rem 0 0}\nh2{font-size:1.3rem;margin:2.5rem 0 " \
	".5rem}\nh3{font-size:1rem;margin:0}\n" \
	"header p{color:var(--soft);margin:.2rem 0}\na{color:var(--link)}\nnav " \
	"a{margin-right:.8rem;white-space:nowrap}\n" \
	".fixed{color:var(--soft)}\n.why{color:var(--bad);text-align:left}\n" \
	".scroll{overflow-x:auto}\n" \
	".tables{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1.5rem}\n" \
	"table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.9rem}\n" \
	"caption{font-weight:600;text-align:left;padding:.3rem 0}\n" \
	"thead th:first-child{white-space:nowrap}th,td{padding:.3rem " \
	".6rem;text-align:right;vertical-align:bottom;border-bottom:1px solid var(--rule)}\n" \
	"thead th{font-weight:500;font-size:.8rem;color:var(--soft)}\ntbody " \
	"tr:nth-child(even){background:var(--band)}\n" \
	".all td{white-space:nowrap}.all td:nth-child(-n+2),.all th:nth-child(-n+2){text-align:left}\n" \
	".facts th,.facts td{text-align:left;font-weight:400;vertical-align:top}\n.facts " \
	"th{color:var(--soft);width:14rem}\n" \
	"figure{margin:1.5rem 0}\nfigure svg{display:block;width:100%;min-width:36rem;height:auto}\n" \
	"figure svg [fill=\"black\"]{fill:var(--ink)}\n" \
	"figure svg [color=\"black\"],figure svg [color=\"gray\"]{color:var(--ink)}\n" \
	"figure svg [stroke=\"black\"],figure svg [stroke=\"rgb(  0,   0,   0)\"]{stroke:var(--ink)}\n" \
	"figure svg [fill=\"rgb(68,68,68)\"]{fill:var(--soft)}\nfigure svg [stroke=\"rgb( 68,  68,  " \
	"68)\"]{stroke:var(--soft)}\n" \
	"figure svg [stroke=\"rgb(221, 221, 221)\"]{stroke:var(--rule)}\nfigure svg " \
	"[fill=\"#ffffff\"]{fill:var(--paper)}\n" \
	"@media screen and (prefers-color-scheme:dark){figure svg [stroke=\"rgb(  0, 114, 178)\"]{stroke:#4aa3dc}" \
	"figure svg [color=\"rgb(  0, 114, 178)\"]{color:#4aa3dc}}\n" \
	"ol{padding-left:1.5rem}\nli{margin:0 0 1.2rem}\nli p{margin:.2rem 0}\n" \
	"@media print{:root{--ink:#000;--soft:#444;--rule:#bbb;--band:#fff;--link:#000}" \
	"body{max-width:none;font-size:10pt}nav{display:none}figure,table,li{break-inside:avoid}h2{break-after:avoid}" \
	"figure svg{min-width:0;max-height:11cm}.scroll{overflow:visible}}\n"

#endif

"""The document of all claims, and their page: the note's questions, its sentences, each claim."""

from __future__ import annotations

from regbench.claims.note import note
from regbench.locale import Words
from regbench.report import answers, markdown
from regbench.report import claims as shown
from regbench.report.markdown import escaped
from regbench.report.template import rendered


def document(claims: shown.Found, words: Words, pictures: str) -> str:
    """Return the document of all claims, as Markdown; `pictures` is the folder of
    NAME.LANGUAGE.svg.
    """
    table = shown.overview(claims, words)
    parts = [
        f"# {table.title}",
        f"{shown.lead(claims, words)} {words('claims.again')}",
        markdown.rows(table),
    ]
    parts += [*(escaped(text) for text in table.notes), shown.surprises(claims, words)]
    parts.append(f"## {words('note.questions')}")
    for number, question in enumerate(note().questions, start=1):
        picture = f"{pictures}/{question.picture}.{words.language}.svg"
        parts.append("#" + answers.answer(number, claims, words, picture))
    sentences = answers.sentences(claims, words)
    parts += [f"## {sentences.title}", markdown.rows(sentences), *map(escaped, sentences.notes)]
    for claim, judgement in claims:
        parts += [f"## {claim.name}", shown.headed(claim, judgement, words)]
        if judgement:
            alt = escaped(claim.about.statement[words.language])
            parts += [f"![{alt}]({pictures}/{claim.name}.{words.language}.svg)"]
        parts.append(shown.detailed(claim, judgement, words))
    return "\n\n".join(parts) + "\n"


def page(claims: shown.Found, words: Words) -> str:
    """Return the HTML page of all claims; nothing in it is fetched."""
    from markdown_it import MarkdownIt

    from regbench.report import claim_plots
    from regbench.report.page import distinct

    render = MarkdownIt("commonmark", {"html": False}).render
    sections, drawn = [], {}
    for claim, judgement in claims:
        svg = claim_plots.claim(claim, judgement, words).svg if judgement else ""
        drawn[claim.name] = svg
        sections.append(
            {
                "name": claim.name,
                "title": claim.about.statement[words.language],
                "head": render(shown.headed(claim, judgement, words)),
                "svg": distinct(claim.name, svg) if svg else "",
                "rest": render(shown.detailed(claim, judgement, words)),
            }
        )
    table = shown.overview(claims, words)
    return rendered(
        "claims.html.j2",
        words=words,
        language=words.language,
        title=table.title,
        lead=[shown.lead(claims, words)],
        table=table,
        questions=[
            {
                "title": f"{number}. {question.asks[words.language]}",
                "note": question.note[words.language],
                "ours": " ".join(answers.ours(question, claims, words)),
                "table": answers.rests(question, claims, words),
                "svg": distinct(f"question-{number}", drawn.get(question.picture) or ""),
            }
            for number, question in enumerate(note().questions, start=1)
        ],
        sentences=answers.sentences(claims, words),
        surprises=render(shown.surprises(claims, words)),
        sections=sections,
    )

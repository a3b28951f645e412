"""Names that columns have in shops: what a title says, in seven languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# English, German, French, Spanish, Portuguese, Italian, Dutch; without accents, likeliest first.
WORDS: dict[str, tuple[str, ...]] = {
    "store": (
        *("store", "shop", "branch", "outlet", "location", "site", "pos", "warehouse", "region"),
        *("plant", "werk"),
        *("filiale", "markt", "laden", "standort", "verkaufsstelle", "niederlassung", "betrieb"),
        *("magasin", "boutique", "point de vente", "tienda", "sucursal", "local", "loja", "filial"),
        *("negozio", "punto vendita", "sede", "winkel", "vestiging", "channel", "country"),
    ),
    "department": (
        *("department", "dept", "category", "product line", "family", "product family", "class"),
        *(
            "group",
            "brand",
            "product",
            "lineitem name",
            "lineitem",
            "item",
            "sku",
            "article",
            "stock code",
            "material",
        ),
        *("warengruppe", "abteilung", "kategorie", "sortiment", "artikel", "produkt", "marke"),
        *("rayon", "famille", "categorie", "produit", "gamme", "departamento", "categoria"),
        *("familia", "producto", "articulo", "seccion", "secao", "produto", "artigo", "reparto"),
        *("prodotto", "articolo", "afdeling", "productgroep", "description"),
    ),
    "date": (
        *("date", "sale date", "sales date", "order date", "invoice date", "transaction date"),
        *("day", "week", "week ending", "created at", "timestamp", "time", "period", "ds"),
        *("datum", "tag", "woche", "belegdatum", "buchungsdatum", "rechnungsdatum", "bestelldatum"),
        *("verkaufsdatum", "jour", "semaine", "fecha", "dia", "semana", "data", "giorno"),
        *("settimana", "dag"),
    ),
    "amount": (
        *("sales", "weekly sales", "daily sales", "sales amount", "revenue", "turnover", "sale"),
        *("amount", "net value", "nettowert", "wert"),
        *("total", "line total", "net sales", "gross sales", "net amount", "gross amount"),
        *("total price", "total amount", "sales value", "value", "umsatz", "nettoumsatz"),
        *("bruttoumsatz", "betrag", "erlos", "summe", "ca", "chiffre d affaires", "ventes"),
        *("montant", "ventas", "importe", "ingresos", "vendas", "valor", "receita", "faturamento"),
        *("vendite", "importo", "fatturato", "incasso", "ricavi", "omzet", "bedrag", "verkopen"),
        *("verkaufe", "absatz"),
    ),
    "quantity": (
        *("quantity", "qty", "units", "units sold", "quantity ordered", "quantity sold", "pieces"),
        *(
            "sold",
            "volume",
            "menge",
            "anzahl",
            "stuck",
            "stueck",
            "verkaufsmenge",
            "quantite",
            "qte",
        ),
        *("unites", "cantidad", "unidades", "quantidade", "qtd", "quantita", "qta", "pezzi"),
        *("aantal", "stuks", "hoeveelheid", "demand", "order demand"),
    ),
    "price": (
        *("price", "unit price", "price each", "preis", "einzelpreis", "stuckpreis", "vk"),
        *("prix", "prix unitaire", "precio", "precio unitario", "preco", "preco unitario"),
        *("prezzo", "prezzo unitario", "prijs", "stukprijs"),
    ),
    "holiday": (
        *("holiday", "is holiday", "state holiday", "public holiday", "bank holiday", "feiertag"),
        *("jour ferie", "ferie", "festivo", "feriado", "festivita", "feestdag", "school holiday"),
    ),
    "stocked_out": (
        *("stocked out", "is stocked out", "stockout", "stock out", "out of stock", "oos"),
        *("ausverkauft", "rupture", "agotado", "esgotado", "esaurito", "uitverkocht"),
    ),
    "order": (
        *("order", "order id", "order no", "order number", "invoice", "invoice no", "receipt"),
        *("receipt no", "transaction", "transaction id", "ticket", "bestellung", "bestellnummer"),
        *("beleg", "belegnummer", "bon", "bonnummer", "rechnung", "rechnungsnummer", "facture"),
        *("commande", "pedido", "factura", "fatura", "ordine", "scontrino", "factuur", "name"),
    ),
    "line": (
        *("line", "line id", "line no", "line number", "order line", "line item id", "position"),
        *("pos nr", "belegposition", "zeile", "ligne", "linea", "linha", "riga", "regel"),
    ),
    "status": (
        *("status", "order status", "financial status", "state", "zustand", "statut", "etat"),
        *("estado", "situacao", "stato", "payment status"),
    ),
    "currency": ("currency", "wahrung", "wahrg", "devise", "moneda", "moeda", "valuta", "munt"),
    "type": ("type", "store type", "format", "typ", "art", "tipo", "soort"),
    "size": (
        *("size", "area", "floor space", "sqm", "square feet", "flache", "verkaufsflache"),
        *("surface", "superficie", "metros", "oppervlakte"),
    ),
    "region": ("region", "area", "district", "state", "province", "land", "country", "bundesland"),
    "opened_on": ("opened on", "opened", "open date", "opening date", "eroffnung", "ouverture"),
    "closed_on": ("closed on", "closed", "close date", "closing date", "schliessung", "fermeture"),
    "name": (
        *("name", "department name", "product name", "item name", "title", "bezeichnung", "nom"),
        *("nombre", "nome", "naam", "description", "libelle"),
    ),
    "category": ("category", "group", "class", "kategorie", "categorie", "categoria", "division"),
}
# Words with which a title says something else than the rest of it.
_OTHERWISE: dict[str, tuple[str, ...]] = {
    "date": (
        "birth",
        "ship",
        "shipped",
        "delivery",
        "due",
        "updated",
        "update",
        "modified",
        "paid",
    ),
    "amount": (
        *("discount", "tax", "cost", "profit", "margin", "rabatt", "steuer", "mwst", "refund"),
        *("shipping", "income", "rank", "rep", "person", "tage", "customers", "id", "target"),
        *(
            "forecast",
            "budget",
            "date",
            "number",
            "type",
            "last",
            "prior",
            "previous",
            "ytd",
            "cumulative",
            "avg",
            "average",
        ),
    ),
    "quantity": ("discount", "returned", "stock", "on hand", "min", "max", "bestand", "id"),
    "price": ("index", "total", "discount"),
    "store": ("type", "size", "name count", "sales", "open"),
    "department": ("price", "count", "size", "type", "cost", "quantity", "total"),
    "order": (
        "date",
        "status",
        "quantity",
        "type",
        "line",
        "total",
        "demand",
        "amount",
        "priority",
    ),
    "line": ("total", "amount", "price", "product", "quantity"),
}
_ID_WORDS = {"id", "no", "nr", "nummer", "number", "code", "key", "num", "numero", "name", "nom"}
_LANGUAGE_WORDS: dict[str, tuple[str, ...]] = {
    "DE": (
        *("datum", "filiale", "umsatz", "menge", "artikel", "markt", "warengruppe", "anzahl"),
        *("preis", "betrag", "woche", "kategorie", "abteilung", "beleg", "feiertag", "absatz"),
    ),
    "other": (
        *("fecha", "tienda", "ventas", "cantidad", "magasin", "ventes", "quantite", "semaine"),
        *("loja", "vendas", "quantidade", "negozio", "vendite", "quantita", "winkel", "omzet"),
        *("aantal", "giorno", "jour", "producto", "produto", "prodotto", "produit"),
    ),
}


def words_of(title: str) -> tuple[str, ...]:
    """The words of a title in small letters, without accents: 'OrderDate' is order, date."""
    plain = unicodedata.normalize("NFKD", title.replace("ß", "ss").replace("№", "no"))
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", plain)
    return tuple(re.findall(r"[a-z]+|[0-9]+", plain.lower()))


def likeness(title: str, role: str) -> float:
    """How well a title names a role: 0 not at all, 3 exactly; earlier words count a little more."""
    words = words_of(title)
    bare = tuple(word for word in words if word not in _ID_WORDS) or words
    if not words:
        return 0.0
    phrases = WORDS[role]
    best = 0.0
    for place, phrase in enumerate(phrases):
        wanted = tuple(phrase.split())
        if wanted in (words, bare) or "".join(wanted) == "".join(bare):
            score = 3.0
        elif words[-len(wanted) :] == wanted or words[: len(wanted)] == wanted:
            score = 2.0
        elif any(words[at : at + len(wanted)] == wanted for at in range(len(words))) or (
            len(phrase) >= 5 and any(word.startswith(phrase) for word in words)
        ):
            score = 1.5
        elif len(phrase) >= 6 and any(word.endswith(phrase) for word in words):
            score = 1.0
        else:
            continue
        best = max(best, score - 0.5 * place / len(phrases))
    exact = tuple(" ".join(words) == phrase for phrase in phrases)
    if best and not any(exact) and set(words) & set(_OTHERWISE.get(role, ())):
        return 0.0
    return best


def language_of(titles: Iterable[str]) -> str:
    """`DE`, `other` (not English either), or empty where the titles are English or say nothing."""
    words = {word for title in titles for word in words_of(title)}
    counts = {name: len(words & set(known)) for name, known in _LANGUAGE_WORDS.items()}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] else ""

"""Word lists that several tasks share; every town and company is invented."""

WOMEN = ["Nora", "Greta", "Imani", "Lucia", "Petra", "Yasmin", "Odile", "Freya", "Mina", "Tessa", "Ruth", "Carmen"]
MEN = ["Anton", "Bruno", "Desmond", "Felix", "Hugo", "Kofi", "Marek", "Oscar", "Ravi", "Stefan", "Tomas", "Walter"]
FIRST_NAMES = WOMEN + MEN
LAST_NAMES = [
    "Abernon", "Bellweg", "Castrou", "Dunmarsh", "Ellery", "Farrowby", "Gantz", "Holloran", "Ivesco", "Jorvik",
    "Kestrin", "Lindqual", "Morvane", "Nettleby", "Ostrander", "Pellworth", "Quillon", "Rastov", "Sandoval",
    "Thornlee",
]
TOWNS = [
    "Alderwick", "Brannock", "Corvale", "Dunhaven", "Eastmere", "Fenbrook", "Galloport", "Harrowgate Bay", "Ironford",
    "Juniper Falls", "Kellsmoor", "Larkfield", "Marrowdale", "Northquay", "Oldcastle", "Pinecross", "Quarryton",
    "Ravenhill", "Saltmouth", "Thistledown",
]
COMPANIES = [
    "Brightwell Foods", "Corvale Motors", "Deltaris", "Emberline", "Fenbrook Paper", "Granitair", "Halcyonne Rail",
    "Inkwell Press", "Juno Textiles", "Kestrin Energy", "Lumenar", "Merrow Glass", "Northquay Shipping",
    "Orchardgate Tools",
]
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = ["January", "March", "April", "May", "June", "August", "September", "October", "November"]

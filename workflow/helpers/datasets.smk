# Where the files of each dataset lie and what they are made from: helpers of the rules that make them.

# Folder below results/data/raw -> dataset whose minima are made of a file of yours.
CUSTOM = {Path(STUDY.raw_dir(name)).name: name for name, settings in STUDY.settings.datasets.items() if settings.kind == "custom"}
# The same of datasets whose molecules are chosen from lists in packages.
ORGANIC = {
    Path(STUDY.raw_dir(name)).name: name for name, settings in STUDY.settings.datasets.items() if settings.kind == "organic"
}
# Those of them whose minima come with the package, as far as it has them.
SHIPPED = [folder for folder, name in ORGANIC.items() if STUDY.settings.datasets[name].minima == "shipped"]
SHIPPED_CHUNKS, SHIPPED_MINIMA, SHIPPED_TESTS = [], [], []
# Inputs that networks are judged on, and the minima of these.
TEST_FILES = []
if ORGANIC:
    from morered.datasets.organic import shipped, shipped_tests

    TEST_FILES = list(shipped_tests.PARTS)
if SHIPPED:
    SHIPPED_CHUNKS, SHIPPED_MINIMA = shipped.indices(), str(shipped.file())
    SHIPPED_TESTS = str(shipped_tests.file())
# Their frozen test molecules are relaxed in so many chunks.
TEST_CHUNKS = 60
# So many of their validation molecules are inputs that settings are chosen on.
VALIDATION_MOLECULES = 300
# Folder below results/data/raw -> dataset whose molecules are downloaded there.
QM9 = {
    Path(STUDY.raw_dir(name)).name: name
    for name, settings in STUDY.settings.datasets.items()
    if getattr(settings, "source", None) == "figshare"
}
# Displaced structures with energies and forces that are made here -> dataset.
DISPLACED = {STUDY.displaced(name): name for name, settings in STUDY.settings.datasets.items() if settings.kind != "qm7x"}


# Minima that models are trained on beside their dataset's -> one of the models.
AUGMENTATIONS = {path: name for name in STUDY.settings.models if (path := STUDY.augmentation(name)) is not None}


def downloaded(part):
    """Folders (part -2) or names (part -1) of the files that are downloaded."""
    return one_of(sorted({Path(path).parts[part] for path in DOWNLOADS}))


def listing(wildcards):
    """What the table of files says of a download, or of what an archive holds."""
    file = wildcards.file if "file" in wildcards.keys() else f"{wildcards.archive}.xz"
    return DOWNLOADS[f"results/data/raw/{wildcards.raw}/{file}"]


def source_of(wildcards):
    return listing(wildcards).source


def digests_of(wildcards):
    return listing(wildcards).digests


def qm7x_files(wildcards):
    """The parsed files that QM7-X is joined from, and the list of duplicates that are removed."""
    dataset = dataset_of(wildcards)
    folder, settings = STUDY.raw_dir(dataset), STUDY.settings.datasets[dataset]
    return {"parts": [f"{folder}/{name}.h5" for name in settings.files], "duplicates": f"{folder}/DupMols.dat"}


def qm9_files(wildcards):
    """The molecules of QM9 as downloaded; none where they are to come from a package."""
    if dataset_settings(wildcards).source == "qm9pack":
        return {}
    return {"molecules": f"{STUDY.raw_dir(dataset_of(wildcards))}/molecules.h5"}


def digests_of_qm9(wildcards):
    """What its files must be, so that other digests fetch them again."""
    files = downloads.files_of(STUDY.settings.datasets[QM9[wildcards.raw]])
    return [DOWNLOADS[f"results/data/raw/{wildcards.raw}/{file}"].digests for file in files]


def table_of_qm9(wildcards):
    return STUDY.settings.datasets[QM9[wildcards.raw]].sources


def table_of(wildcards):
    """The table that a dataset's files are listed in; None: the package's own."""
    return dataset_settings(wildcards).sources


def split_settings(wildcards):
    return dataset_settings(wildcards).split.to_dict()


def published_of(wildcards):
    return f"{STUDY.data_dir(dataset_of(wildcards))}/structures.h5"


def custom_settings(wildcards):
    """What the minima of a custom dataset depend on besides its file."""
    name = CUSTOM[wildcards.custom]
    settings = {key: getattr(STUDY.settings.datasets[name], key) for key in ("relax_with", "conformers", "timeout", "chunks")}
    return {"dataset": name.split("@")[0], **settings}


def custom_file(wildcards):
    return STUDY.settings.datasets[CUSTOM[wildcards.custom]].file


def custom_parts(wildcards):
    """The chunks that a custom dataset's minima are relaxed in."""
    dataset = dataset_of(wildcards)
    return [f"{STUDY.raw_dir(dataset)}/minima.parts/{chunk}.h5" for chunk in range(STUDY.settings.datasets[dataset].chunks)]


def organic_settings(wildcards):
    """What the minima of an organic dataset depend on."""
    settings = STUDY.settings.datasets[ORGANIC[wildcards.organic]]
    return {key: getattr(settings, key) for key in ("molecules", "entries", "chunks")}


def packages_of(wildcards):
    """The packages that an organic dataset's molecules are chosen from."""
    lists = STUDY.settings.datasets[ORGANIC[wildcards.organic]].molecules == "lists"
    return {"packages": "results/data/raw/packages"} if lists else {}


def organic_parts(wildcards):
    """The chunks of an organic dataset's minima that are used."""
    dataset = dataset_of(wildcards)
    settings = STUDY.settings.datasets[dataset]
    chunks = min(settings.chunks, settings.chunks_used or settings.chunks)
    return [f"{STUDY.raw_dir(dataset)}/reference.parts/{chunk}.h5" for chunk in range(chunks)]


def organic_entries(wildcards):
    """The molecules that an organic dataset's minima are made of."""
    return f"{STUDY.raw_dir(dataset_of(wildcards))}/entries.csv"


def organic_test_parts(wildcards):
    """The chunks that the inputs or the minima of an organic dataset's test molecules are made in."""
    folder = f"results/data/raw/{wildcards.organic}"
    return [f"{folder}/tests.parts/{chunk}.{wildcards.what}.h5" for chunk in range(TEST_CHUNKS)]


def conformers_of(wildcards):
    """The inputs that a test set of conformers is selected from, and their minima."""
    stem = STUDY.conformers(wildcards.testset)
    return {"inputs": f"{stem}.inputs.h5", "minima": f"{stem}.minima.h5"}


def endings_on_validation(wildcards):
    """Where the first method of a model ends, on the test sets of conformers of validation molecules."""
    return [STUDY.endings(testset, method) for testset, method in STUDY.calibrating(wildcards.model)]


def packed_of_study():
    """The compact files of every organic dataset that is made of packages: as they ship. Isomers of QM7 are tested on QM7."""
    made = {folder: name for folder, name in ORGANIC.items() if folder not in SHIPPED}
    tested = [folder for folder, name in made.items() if STUDY.settings.datasets[name].molecules == "lists"]
    return [f"{STUDY.data_dir(name)}/minima.zip" for name in made.values()] + [
        f"results/data/raw/{folder}/tests.zip" for folder in tested
    ]


def minima_of_study():
    """The minima of every dataset that the config names; of an organic one that is made here those of its tests as well, and the
    compact files.
    """
    return [f"{STUDY.data_dir(name)}/minima.h5" for name in STUDY.settings.datasets] + packed_of_study()


def weights_of_study():
    """The weights of every model that the config names, those of its sweeps left out."""
    return [STUDY.weights(name) for name in STUDY.settings.models if "@" not in name]


def displaced_settings(wildcards):
    dataset = DISPLACED[f"results/data/{wildcards.data}/{wildcards.displaced}.h5"]
    return STUDY.settings.datasets[dataset].displaced.to_dict()


def displaced_parts(wildcards):
    chunks = displaced_settings(wildcards)["chunks"]
    return [f"results/data/{wildcards.data}/{wildcards.displaced}.parts/{chunk}.h5" for chunk in range(chunks)]


def training_data(wildcards):
    """Minima, or for a force field structures with energies and forces."""
    return STUDY.training_data(wildcards.model)


def further_of_training(wildcards):
    """Further minima and the weights of another model, where a training takes such."""
    files = {"augmentation": STUDY.augmentation(wildcards.model), "init": STUDY.initial_weights(wildcards.model)}
    return {name: path for name, path in files.items() if path is not None}


def given_weights(wildcards):
    """The file that a model's weights are copied from; none where they ship."""
    path = STUDY.given_weights(wildcards.model)
    return [path] if path is not None else []


def augmented_model(wildcards):
    """The first model that trains on an augmentation."""
    return AUGMENTATIONS[f"results/data/{wildcards.data}/{wildcards.augmentation}.h5"]


def augmentation_files(wildcards):
    """The dataset that graphs are taken from, and those that they must be new to."""
    model = augmented_model(wildcards)
    other = STUDY.data_dir(STUDY.settings.models[model].augment.dataset)
    known = [f"{folder}/minima.h5" for folder in STUDY.known_to(model)]
    return {"others": f"{other}/minima.h5", "split": f"{other}/split.json", "known": known}


def augmentation_settings(wildcards):
    """What is taken of the other dataset."""
    return STUDY.settings.models[augmented_model(wildcards)].augment.to_dict()


def card_files(wildcards):
    """What a data card describes: minima, split, and the labelled structures that come with them or that this study learns from."""
    folder, settings = STUDY.data_dir(wildcards.dataset), STUDY.settings.datasets[wildcards.dataset]
    learned = {STUDY.training_data(name) for name, model in STUDY.settings.models.items() if model.source == "train"}
    labelled = STUDY.labelled(wildcards.dataset)
    files = {"minima": f"{folder}/minima.h5", "split": f"{folder}/split.json"}
    return {**files, "displaced": labelled} if settings.kind == "qm7x" or labelled in learned else files


def card_settings(wildcards):
    """What tells the level of theory of a dataset's minima."""
    settings = STUDY.settings.datasets[wildcards.dataset]
    return {key: getattr(settings, key) for key in ("kind", "file", "relax_with") if hasattr(settings, key)}


def data_cards_of_study():
    """The data card of each dataset that the study uses, without those that ablations add."""
    return [f"{STUDY.card(name)}.png" for name in STUDY.datasets_used if "@" not in name]

"""The benchmark of every relaxation method: its methods are those that there are."""


def test_every_method_is_one(benchmark):
    models = benchmark.Models(64, shipped=True)
    for name in benchmark.METHODS:
        models.method(name, None)
    programs = [name for name in benchmark.METHODS if benchmark.is_program(name)]
    assert programs == ["GFN2-xTB", "GFN1-xTB", "MMFF94", "MMFF94, tight"]
